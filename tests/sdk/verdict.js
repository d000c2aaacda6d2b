// The verdicts of a scenario, as verdict.py writes them.
'use strict';

const fs = require('fs');

function check(what, ok, detail = '') {
  fs.appendFileSync('verdicts', JSON.stringify({ check: what, ok: Boolean(ok), detail: String(detail) }) + '\n');
  return Boolean(ok);
}

function equal(what, got, want) {
  const [left, right] = [JSON.stringify(got), JSON.stringify(want)];
  return check(what, left === right, `got ${left}, not ${right}`);
}

// The call is rejected with an error of the service model that its operation declares; the SDK does not tell its name.
// Its message is not empty and holds the words.
async function refused(what, call, ...words) {
  try {
    const answer = await call();
    check(what, false, `answered ${JSON.stringify(answer)}`);
  } catch (error) {
    const message = error.serviceError && error.serviceError.message;
    check(what, message && words.every((word) => message.includes(word)), `${error}: ${JSON.stringify(error)}`);
  }
}

async function scenario(play) {
  try {
    await play();
  } catch (error) {
    check('no exception', false, error.stack || error);
  }
  check('ended', true);
}

module.exports = { check, equal, refused, scenario };
