// Updates, validation and deployments: this SDK knows those errors alone that the model declares for an operation.
'use strict';

const { greengrasscoreipc } = require('aws-iot-device-sdk-v2');
const { check, equal, refused, scenario } = require('./verdict');

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

// What a subscription tells, in order of arrival.
function inbox(operation) {
  const [waiting, arrived] = [[], []];
  operation.on('message', (message) => {
    const taker = waiting.shift();
    if (taker) taker(message);
    else arrived.push(message);
  });
  return () => (arrived.length ? Promise.resolve(arrived.shift()) : new Promise((taker) => waiting.push(taker)));
}

scenario(async () => {
  const client = greengrasscoreipc.createClient();
  await client.connect();
  const defer = (request) => client.deferComponentUpdate(request);
  const report = (configurationValidityReport) => client.sendConfigurationValidityReport({ configurationValidityReport });

  await refused('defer before subscribing', () => defer({ deploymentId: UNKNOWN }), 'not subscribed');
  await refused('report on nothing', () => report({ deploymentId: UNKNOWN, status: 'ACCEPTED' }), UNKNOWN);
  await refused('group with a colon', () => client.createLocalDeployment({ groupName: 'a:b' }), 'a:b');
  await refused('no recipes', () => client.createLocalDeployment({ recipeDirectoryPath: '/no/such' }), '/no/such');
  await refused('no artifacts', () => client.createLocalDeployment({ artifactsDirectoryPath: '/' }), 'artifact');
  await refused('cancel of no UUID', () => client.cancelLocalDeployment({ deploymentId: 'one' }), 'UUID');
  await refused('cancel of nothing', () => client.cancelLocalDeployment({ deploymentId: UNKNOWN }), UNKNOWN);
  await refused('status of nothing', () => client.getLocalDeploymentStatus({ deploymentId: UNKNOWN }), UNKNOWN);

  const validation = client.subscribeToValidateConfigurationUpdates({});
  const proposals = inbox(validation);
  await validation.activate();
  const updates = client.subscribeToComponentUpdates({});
  const notices = inbox(updates);
  await updates.activate();
  check('subscribed', true);

  const before = (await notices()).preUpdateEvent;
  equal('no restart ahead', before.isGgcRestarting, false);
  const deploymentId = before.deploymentId;
  await refused('unknown deployment', () => defer({ deploymentId: UNKNOWN }), UNKNOWN);
  await defer({ deploymentId, recheckAfterMs: 5000, message: 'busy' });
  await refused('second answer', () => defer({ deploymentId }), deploymentId);
  equal('asked again', (await notices()).preUpdateEvent.deploymentId, deploymentId);
  await defer({ deploymentId, recheckAfterMs: 0 });
  const proposal = (await proposals()).validateConfigurationUpdateEvent;
  equal('proposal of', proposal.deploymentId, deploymentId);
  equal('proposal', proposal.configuration.level, 1);
  await report({ deploymentId, status: 'ACCEPTED' });
  equal('told of the end', (await notices()).postUpdateEvent.deploymentId, deploymentId);

  const { deployment } = await client.getLocalDeploymentStatus({ deploymentId });
  equal('its id', deployment.deploymentId, deploymentId);
  const own = await client.createLocalDeployment({});
  const { localDeployments } = await client.listLocalDeployments({});
  check('listed', localDeployments.some((listed) => listed.deploymentId === own.deploymentId));
  await client.close();
});
