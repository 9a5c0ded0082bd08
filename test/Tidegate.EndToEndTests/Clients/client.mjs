// Calls that a Node program makes, with nothing but what Node has built in. Arguments: a way, then what it needs. Prints one JSON object.
import http from 'node:http';
import http2 from 'node:http2';
import tls from 'node:tls';
import { text } from 'node:stream/consumers';

const [way, ...rest] = process.argv.slice(2);
const key = process.env.GATEWAY_KEY;
const proxyAuthorization = 'Basic ' + Buffer.from('key:' + key).toString('base64');

function print(status, version, content) {
  console.log(JSON.stringify({ status: Number(status), version, content }));
}

function sent(request, content) {
  return new Promise((resolve, reject) => {
    request.on('response', resolve).on('error', reject);
    request.end(content);
  });
}

// CONNECT, then TLS inside of it.
async function tunnel(proxy, host, port, protocols) {
  const connect = http.request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: `${host}:${port}`, headers: { 'Proxy-Authorization': proxyAuthorization }, agent: false });
  const socket = await new Promise((resolve, reject) => {
    connect.on('connect', (answer, opened) => (answer.statusCode === 200 ? resolve(opened) : reject(new Error(`CONNECT was answered with ${answer.statusCode}`))));
    connect.on('response', answer => reject(new Error(`CONNECT was answered with ${answer.statusCode}`)));
    connect.on('error', reject).end();
  });
  const secure = tls.connect({ socket, servername: host, ALPNProtocols: protocols });
  await new Promise((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject));
  return secure;
}

async function overHttp2(session, headers, content) {
  const stream = session.request(headers);
  stream.end(content);
  const answer = await new Promise((resolve, reject) => stream.once('response', resolve).once('error', reject));
  const received = await text(stream);
  session.close();
  print(answer[':status'], '2.0', received);
}

const ways = {
  // The built-in fetch, and nothing but a URL: a base path, or ingress.
  async fetch(url, content) {
    const answer = await fetch(url, { method: content ? 'POST' : 'GET', body: content, headers: { 'X-Api-Key': key } });
    print(answer.status, '', await answer.text());
  },

  // The same with a content whose length nobody knows: chunked.
  async fetchStream(url, size) {
    let left = Number(size);
    const body = new ReadableStream({
      pull(controller) {
        const part = Math.min(left, 50_000);
        if (part === 0) {
          controller.close();
        } else {
          controller.enqueue(new Uint8Array(part).fill(97));
          left -= part;
        }
      },
    });
    const answer = await fetch(url, { method: 'POST', body, duplex: 'half', headers: { 'X-Api-Key': key } });
    print(answer.status, '', await answer.text());
  },

  async absolute(proxyUrl, url, content) {
    const proxy = new URL(proxyUrl);
    const request = http.request({ host: proxy.hostname, port: proxy.port, method: content ? 'PUT' : 'GET', path: url, headers: { Host: new URL(url).host, 'Proxy-Authorization': proxyAuthorization } });
    const answer = await sent(request, content);
    print(answer.statusCode, answer.httpVersion, await text(answer));
  },

  async connect(proxyUrl, url, version) {
    const target = new URL(url);
    const secure = await tunnel(new URL(proxyUrl), target.hostname, target.port || 443, [version === '2' ? 'h2' : 'http/1.1']);
    if (version === '2') {
      await overHttp2(http2.connect(target.origin, { createConnection: () => secure }), { ':path': target.pathname + target.search });
      return;
    }

    const answer = await sent(http.request({ createConnection: () => secure, path: target.pathname + target.search, headers: { Host: target.host } }));
    print(answer.statusCode, answer.httpVersion, await text(answer));
    secure.destroy();
  },

  async http2(url, content) {
    const target = new URL(url);
    await overHttp2(http2.connect(target.origin), { ':method': content ? 'POST' : 'GET', ':path': target.pathname + target.search, 'x-api-key': key }, content);
  },
};

await ways[way](...rest);
