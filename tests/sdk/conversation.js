// Publish, subscribe, configuration and refusals through the SDK for Node.js, which sends fewer headers than Python
// does and takes only the errors that an operation declares.
'use strict';

const { greengrasscoreipc } = require('aws-iot-device-sdk-v2');
const { check, equal, refused, scenario } = require('./verdict');

const SERVICE_ERROR = 8;
const HANDSHAKE_ERROR = 2;

// What a subscription tells, in order of arrival.
class Events {
  constructor() {
    this.events = [];
    this.waiting = [];
    this.ended = 0;
    this.errors = [];
  }

  listen(operation) {
    operation.on('message', (event) => {
      const next = this.waiting.shift();
      if (next) next(event);
      else this.events.push(event);
    });
    operation.on('streamError', (error) => this.errors.push(error));
    operation.on('ended', () => (this.ended += 1));
  }

  next() {
    return this.events.length ? this.events.shift() : new Promise((resolve) => this.waiting.push(resolve));
  }
}

async function subscribe(client, topic, receiveMode) {
  const operation = client.subscribeToTopic({ topic, receiveMode });
  const events = new Events();
  events.listen(operation);
  const response = await operation.activate();
  return { operation, events, response };
}

function publish(client, topic, message) {
  const publishMessage = Buffer.isBuffer(message) ? { binaryMessage: { message } } : { jsonMessage: { message } };
  return client.publishToTopic({ topic, publishMessage });
}

function json(event) {
  return [event.jsonMessage.message, event.jsonMessage.context.topic];
}

async function talking(client) {
  equal('a publish nobody hears is answered', await publish(client, 'js/nobody', { a: 1 }), {});
  const { events, operation, response } = await subscribe(client, 'js/#', 'RECEIVE_ALL_MESSAGES');
  check('a subscription is answered', response && typeof response === 'object');
  await publish(client, 'js/1', { a: 1 });
  equal('JSON arrives with its topic', json(await events.next()), [{ a: 1 }, 'js/1']);
  await publish(client, 'js/2', Buffer.from([0, 255]));
  const event = await events.next();
  equal('bytes arrive', [...Buffer.from(event.binaryMessage.message)], [0, 255]);
  equal('bytes arrive with their topic', event.binaryMessage.context.topic, 'js/2');
  const numbers = [...Array(100).keys()];
  await Promise.all(numbers.map((n) => publish(client, 'js/many', { n })));
  const heard = [];
  while (heard.length < 100) heard.push(json(await events.next())[0].n);
  equal('100 calls in flight, in order', heard, numbers);
  const large = Buffer.alloc(10 * 1024 * 1024, 'large');
  await publish(client, 'js/large', large);
  check('10 MiB arrive unchanged', large.equals(Buffer.from((await events.next()).binaryMessage.message)));

  const later = await subscribe(client, 'js/+', 'RECEIVE_ALL_MESSAGES');
  await operation.close();
  for (const n of [0, 1]) await publish(client, 'js/after', { n });
  equal('another subscription goes on', [json(await later.events.next())[0].n, json(await later.events.next())[0].n], [0, 1]);
  check('a closed subscription hears nothing', events.events.length === 0 && events.errors.length === 0);
  await later.operation.close();
}

async function configuration(client) {
  const answer = await client.getConfiguration({ keyPath: ['k'] });
  equal('a leaf of the configuration', [answer.componentName, answer.value], ['com.example.NodeConversation', { k: 1 }]);
  await refused('an unknown key', () => client.getConfiguration({ keyPath: ['unknown'] }));
}

async function refusals(client) {
  await refused('a publish without permission', () => publish(client, 'denied', {}), 'PublishToTopic', 'denied');
  await refused('a subscription without permission', () => subscribe(client, 'denied/#'), 'denied/#');
  try {
    await publish(client, 'denied', {});
  } catch (error) {
    equal('a refusal is a service error', error.type, SERVICE_ERROR);
  }
}

async function strangers() {
  const configuration = greengrasscoreipc.createDefaultClientConfig();
  const { connectTransform } = configuration;
  let refusals = 0;
  for (let number = 0; number < 20; number += 1) {
    const client = greengrasscoreipc.createClient({
      ...configuration,
      connectTransform: async (options) => {
        const message = await connectTransform(options);
        return { ...message, payload: '{"authToken":"ABCDEFGHIJKLMNOP"}' };
      },
    });
    try {
      await client.connect();
    } catch (error) {
      refusals += error.type === HANDSHAKE_ERROR ? 1 : 0;
    }
    await client.close();
  }
  equal('a wrong token is refused 20 times of 20', refusals, 20);
}

scenario(async () => {
  await strangers();
  const client = greengrasscoreipc.createClient();
  await client.connect();
  await talking(client);
  await configuration(client);
  await refusals(client);
  const gone = new Promise((resolve) => client.on('disconnection', resolve));
  await client.close();
  check('an orderly close is told', await gone);
});
