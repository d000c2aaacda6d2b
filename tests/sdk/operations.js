// Calls every operation of the SDK for Node.js, which takes only the errors that its model declares for an operation.
'use strict';

const { randomUUID } = require('crypto');
const { greengrasscoreipc } = require('aws-iot-device-sdk-v2');
const { check, equal, scenario } = require('./verdict');

const SERVICE_ERROR = 8;
// What the reference nucleus answers beyond its model: nothing is paused where there are no control groups.
const BEYOND = ['resumeComponent'];

const component = { componentName: 'com.example.Sleeper' };
const deployment = { deploymentId: randomUUID() };
const shadow = { thingName: 'Thing', shadowName: '' };
const credential = { mqttCredential: { clientId: 'a', certificatePem: 'b' } };

const CALLS = {
  publishToTopic: { topic: 'calls', publishMessage: { jsonMessage: { message: {} } } },
  subscribeToTopic: { topic: 'calls' },
  getConfiguration: { keyPath: [] },
  updateConfiguration: { keyPath: [], timestamp: new Date(), valueToMerge: { called: true } },
  subscribeToConfigurationUpdate: { keyPath: [] },
  subscribeToValidateConfigurationUpdates: {},
  sendConfigurationValidityReport: { configurationValidityReport: { status: 'ACCEPTED', ...deployment } },
  updateState: { state: 'RUNNING' },
  subscribeToComponentUpdates: {},
  deferComponentUpdate: { recheckAfterMs: 1, ...deployment },
  listComponents: {},
  getComponentDetails: component,
  pauseComponent: component,
  resumeComponent: component,
  restartComponent: component,
  stopComponent: component,
  createLocalDeployment: { rootComponentVersionsToAdd: new Map([['com.example.Sleeper', '1.0.0']]) },
  getLocalDeploymentStatus: deployment,
  cancelLocalDeployment: deployment,
  listLocalDeployments: {},
  createDebugPassword: {},
  validateAuthorizationToken: { token: 'x' },
  putComponentMetric: { metrics: [{ name: 'm', unit: 'COUNT', value: 1.5 }] },
  publishToIoTCore: { topicName: 'a/b', qos: '1', payload: Buffer.from('hi') },
  subscribeToIoTCore: { topicName: 'a/b', qos: '1' },
  getSecretValue: { secretId: 'a' },
  getThingShadow: shadow,
  updateThingShadow: { ...shadow, payload: Buffer.from('{}') },
  deleteThingShadow: shadow,
  listNamedShadowsForThing: { thingName: 'Thing' },
  subscribeToCertificateUpdates: { certificateOptions: { certificateType: 'SERVER' } },
  verifyClientDeviceIdentity: { credential: { clientDeviceCertificate: 'certificate' } },
  getClientDeviceAuthToken: { credential },
  authorizeClientDeviceAction: { clientDeviceAuthToken: 'a', operation: 'mqtt:connect', resource: 'mqtt:topic:a' },
};

// What the client offers besides operations.
const OTHERS = ['constructor', 'connect', 'close', 'on'];

async function call(client, name, request) {
  if (!name.startsWith('subscribeTo')) return client[name](request);
  const operation = client[name](request);
  const response = await operation.activate();
  await operation.close();
  return response;
}

scenario(async () => {
  const client = greengrasscoreipc.createClient();
  await client.connect();
  const offered = Object.getOwnPropertyNames(Object.getPrototypeOf(client)).filter((name) => !OTHERS.includes(name));
  equal('every operation of the SDK is called', Object.keys(CALLS).sort(), offered.sort());
  for (const [name, request] of Object.entries(CALLS)) {
    try {
      const answer = await call(client, name, request);
      check(`operation ${name}`, answer && typeof answer === 'object');
    } catch (error) {
      const message = error.serviceError && error.serviceError.message;
      const good = (error.type === SERVICE_ERROR && message) || BEYOND.includes(name);
      check(`operation ${name}`, good, `${error} ${message} ${error.internalError}`);
    }
  }
  await client.close();
});
