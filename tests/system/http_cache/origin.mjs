// SPDX-License-Identifier: Apache-2.0
// The origin server of the suite, on a free port of the loopback. Argument: the folder
// that holds node_modules. The first line that it prints is its port.
import http from 'node:http'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const suite = path.join(process.argv[2], 'node_modules', 'http-cache-tests')

async function load (file) {
  return (await import(pathToFileURL(path.join(suite, 'server', file)))).default
}

const handlers = {
  config: await load('handle-config.mjs'),
  test: await load('handle-test.mjs'),
  state: await load('handle-state.mjs')
}
const port = console.log
console.log = () => {} // what the handlers say of each request

const server = http.createServer((request, response) => {
  const segments = new URL(request.url, 'http://localhost').pathname.split('/').slice(1)
  const handle = handlers[segments.shift()]
  if (handle === undefined) {
    response.writeHead(404)
    response.end()
    return
  }
  handle(segments, request, response)
})
server.listen(0, '127.0.0.1', () => port(server.address().port))
