// SPDX-License-Identifier: Apache-2.0
// Runs tests of the suite against a proxy. Arguments: the folder that holds
// node_modules, the URL of the proxy, how many tests at once, and ids of tests (none:
// all of them). Prints one JSON object: id to {kind, suite, name, depends_on, result}.
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, base, atOnce, ...ids] = process.argv.slice(2)
const modules = path.join(folder, 'node_modules')

function load (...names) {
  return import(pathToFileURL(path.join(modules, ...names)))
}

const { runTests, getResults } = await load('http-cache-tests', 'client', 'runner.mjs')
const fetch = (await load('node-fetch', 'lib', 'index.mjs')).default
const suites = [...(await load('http-cache-tests', 'tests', 'index.mjs')).default,
  (await load('http-cache-tests', 'tests', 'surrogate-control.mjs')).default]
console.log = () => {} // "test passed" and the like

const told = {}
const wanted = suites.map(suite => ({
  ...suite,
  tests: suite.tests.filter(test =>
    test.browser_only !== true && (ids.length === 0 || ids.includes(test.id)))
}))
await runTests(wanted, fetch, false, base, parseInt(atOnce))
const results = getResults()
for (const suite of wanted) {
  for (const test of suite.tests) {
    told[test.id] = {
      kind: test.kind || 'required',
      suite: suite.id,
      name: test.name,
      depends_on: test.depends_on || [],
      result: results[test.id]
    }
  }
}
// An answer that a test has given up may never end.
process.stdout.write(JSON.stringify(told), () => process.exit(0))
