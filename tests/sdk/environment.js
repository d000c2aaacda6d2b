// What the SDK reads from the environment, and that it is the unmodified one.
'use strict';

const path = require('path');
const { greengrasscoreipc } = require('aws-iot-device-sdk-v2');
const { check, equal, scenario } = require('./verdict');

scenario(async () => {
  const manifest = path.join(process.env.NODE_PATH, 'aws-iot-device-sdk-v2', 'package.json');
  equal('version of the SDK', require(manifest).version, '1.28.0');
  const configuration = greengrasscoreipc.createDefaultClientConfig();
  check('socket', configuration.hostName.endsWith('ipc.socket'));
  equal('working directory', path.basename(process.cwd()), 'com.example.NodeEnvironment');
});
