// Says how humid it is, and shows what others say on the topics below `example`.
'use strict';

const { greengrasscoreipc } = require('aws-iot-device-sdk-v2');

const TOPIC = 'example/humidity';

async function main() {
  // Socket and token come from the environment that the core gives each component.
  const client = greengrasscoreipc.createClient();
  await client.connect();
  client.on('disconnection', () => process.exit(1)); // the core starts it again

  const subscription = client.subscribeToTopic({ topic: 'example/#' });
  subscription.on('message', ({ jsonMessage }) => {
    if (jsonMessage) console.log(`heard ${JSON.stringify(jsonMessage.message)} on ${jsonMessage.context.topic}`);
  });
  await subscription.activate();
  console.log('listening on example/#');

  const { value } = await client.getConfiguration({ keyPath: ['everySeconds'] });
  for (let number = 0; ; number += 1) {
    const message = { percent: 50 + (number % 10), number };
    await client.publishToTopic({ topic: TOPIC, publishMessage: { jsonMessage: { message } } });
    console.log(`said ${JSON.stringify(message)} on ${TOPIC}`);
    await new Promise((resolve) => setTimeout(resolve, value.everySeconds * 1000));
  }
}

main().catch((error) => {
  console.error(error.serviceError ? error.serviceError.message : error);
  process.exit(1);
});
