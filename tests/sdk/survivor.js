// Loses its daemon, which is killed, and is started again by the next one.
'use strict';

const fs = require('fs');
const { greengrasscoreipc } = require('aws-iot-device-sdk-v2');
const { check, equal, scenario } = require('./verdict');

const first = !fs.existsSync('verdicts');
const client = greengrasscoreipc.createClient();

function publish(message) {
  return client.publishToTopic({ topic: 'survivor/node', publishMessage: { jsonMessage: { message } } });
}

// Says what it sees, then stays as it is: nobody here thinks of connecting again.
async function loseTheCore({ ended }) {
  process.on('SIGTERM', () => {}); // which a component gets when its daemon dies
  const lost = new Promise((resolve) => client.on('disconnection', resolve));
  check('ready to lose', true);
  const { reason } = await lost;
  check('the loss of the daemon is seen', String(reason).includes('SOCKET'), reason);
  await ended;
  check('the stream is closed', true);
  let failed = false;
  await publish({ too: 'late' }).catch(() => (failed = true));
  check('a call on the lost connection fails', failed);
  setInterval(() => {}, 100000);
}

async function talk() {
  await client.connect();
  const operation = client.subscribeToTopic({ topic: 'survivor/node' });
  const heard = new Promise((resolve) => operation.on('message', resolve));
  const ended = new Promise((resolve) => operation.on('ended', resolve));
  await operation.activate();
  await publish({ first });
  equal(first ? 'talks' : 'talks again', (await heard).jsonMessage.message, { first });
  return { ended };
}

if (first) {
  talk().then(loseTheCore);
} else {
  scenario(async () => {
    await talk();
    equal('configuration is still there', (await client.getConfiguration({ keyPath: ['k'] })).value, { k: 1 });
    await client.close();
  });
}
