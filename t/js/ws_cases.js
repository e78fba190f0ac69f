'use strict';

// The cases every WebSocket server is measured by (framing, pings, reserved
// bits, opcodes, fragmentation, UTF-8, closing, sizes), against an echo.
// The client is the "ws" library, which checks all that the server sends;
// what a library never sends is written to its socket.
//
// usage: ws_cases.js URL [SLOW]    one "ok name" or "not ok name # why" a line

const WebSocket = require('ws');

const url = process.argv[2];
const slow = Number(process.argv[3] || 1);

const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80;

function frame(first, payload = '', { masked = true, form = 0, len } = {}) {
    const data = Buffer.from(payload);
    const n = len ?? data.length;
    const size = form || (n < 126 ? 1 : n < 65536 ? 2 : 8);
    const head = [first, (masked ? 0x80 : 0)
        | (size === 1 ? n : size === 2 ? 126 : 127)];
    if (size > 1) {
        const l = Buffer.alloc(8);
        l.writeBigUInt64BE(BigInt(n));
        head.push(...l.subarray(8 - size));
    }
    if (!masked)
        return Buffer.concat([Buffer.from(head), data]);
    const key = Buffer.from([0x5a, n & 0xff, 0xc3, 0x01]);
    for (let i = 0; i < data.length; i++)
        data[i] ^= key[i & 3];
    return Buffer.concat([Buffer.from(head), key, data]);
}

const text = (s, first = FIN | TEXT) => frame(first, s);
const binary = (b, first = FIN | BINARY) => frame(first, b);
const code = (n, reason = '') => Buffer.concat([Buffer.from([n >> 8, n & 255]),
    Buffer.from(reason)]);
const close = (n, reason) => frame(FIN | CLOSE, n === undefined ? ''
    : code(n, reason));
const hex = s => Buffer.from(s.replace(/ /g, ''), 'hex');

function show(data) {
    return data.length > 60 ? `[${data.length}]` : data.toString('hex');
}

// Sends the bytes cut into pieces of the given size, collects what comes.
function run(bytes, piece, query = '') {
    return new Promise(resolve => {
        const seen = [];
        const ws = new WebSocket(url + query, {
            perMessageDeflate: false, rejectUnauthorized: false,
            maxPayload: 64 << 20 });
        const timer = setTimeout(() => { seen.push('timeout');
            ws.terminate(); }, 20000 * slow);

        ws.on('message', (d, isBinary) => seen.push((isBinary ? 'B:' : 'T:')
            + show(d)));
        ws.on('ping', d => seen.push('ping:' + show(d)));
        ws.on('pong', d => seen.push('pong:' + show(d)));
        ws.on('error', e => seen.push('error:' + e.message));
        ws.on('close', n => { clearTimeout(timer); seen.push('close:' + n);
            resolve(seen.join(' ')); });
        ws.on('open', async () => {
            const socket = ws._socket;
            socket.setNoDelay(true);
            for (let i = 0; i < bytes.length; i += piece) {
                if (!socket.writable)
                    break;
                if (!socket.write(bytes.subarray(i, i + piece)))
                    await new Promise(r => { socket.once('drain', r);
                        socket.once('close', r); });
                if (piece < 100)
                    await new Promise(setImmediate);
            }
        });
    });
}

const cases = [];

// name, frames, what comes; a close by us is added unless it has an end
function add(name, frames, expected, options = {}) {
    const ends = /close:/.test(expected);
    if (!ends) {
        frames = [...frames, close(1000)];
        expected = (expected ? expected + ' ' : '') + 'close:1000';
    }
    const bytes = Buffer.concat(frames);
    const pieces = options.pieces
        || (bytes.length <= 300 ? [1 << 20, 1] : [1 << 20]);
    for (const p of pieces)
        cases.push({ name: name + (p < 1 << 20 ? `, pieces of ${p}` : ''),
            bytes, expected, piece: p, query: options.query });
}

const T = s => 'T:' + show(Buffer.from(s));
const B = s => 'B:' + show(Buffer.from(s));

// 1 framing
for (const n of [0, 125, 126, 127, 128, 65535, 65536]) {
    add(`1 text of ${n}`, [text('*'.repeat(n))], T('*'.repeat(n)));
    add(`1 binary of ${n}`, [binary(Buffer.alloc(n, 0xfe))],
        B(Buffer.alloc(n, 0xfe)));
}
add('1 text of 65536', [text('*'.repeat(65536))], 'T:[65536]',
    { pieces: [997] });
add('1 binary of 65536', [binary(Buffer.alloc(65536, 0xfe))], 'B:[65536]',
    { pieces: [997] });

// 2 pings and pongs
add('2 ping without payload', [frame(FIN | PING)], 'pong:');
add('2 ping with text', [frame(FIN | PING, 'Hello')], 'pong:48656c6c6f');
add('2 ping with binary', [frame(FIN | PING, hex('00fffefdfcfb00ff'))],
    'pong:00fffefdfcfb00ff');
add('2 ping of 125', [frame(FIN | PING, Buffer.alloc(125, 0xfe))],
    'pong:[125]');
add('2 ping of 126', [frame(FIN | PING, Buffer.alloc(126, 0xfe))],
    'close:1002', { pieces: [1 << 20] });
add('2 unsolicited pong', [frame(FIN | PONG)], '');
add('2 unsolicited pong with payload, ping', [frame(FIN | PONG, 'xx'),
    frame(FIN | PING, 'pp')], 'pong:7070');
add('2 ten pings', Array.from({ length: 10 },
    (_, i) => frame(FIN | PING, `p${i}`)), Array.from({ length: 10 },
    (_, i) => `pong:70${(0x30 + i).toString(16)}`).join(' '));

// 3 reserved bits
for (let rsv = 1; rsv < 8; rsv++) {
    add(`3 reserved bits ${rsv}, text`, [text('a'),
        text('b', FIN | TEXT | rsv << 4), frame(FIN | PING)],
        'T:61 close:1002');
    add(`3 reserved bits ${rsv}, ping`, [frame(FIN | PING | rsv << 4)],
        'close:1002');
    add(`3 reserved bits ${rsv}, close`,
        [frame(FIN | CLOSE | rsv << 4, code(1000))], 'close:1002');
}

// 4 opcodes
for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    add(`4 opcode ${op}`, [frame(FIN | op)], 'close:1002');
    add(`4 opcode ${op} after a text`, [text('a'), frame(FIN | op, 'payload'),
        frame(FIN | PING)], 'T:61 close:1002');
}

// 5 fragmentation
add('5 fragmented ping', [frame(PING, 'a'), frame(FIN, 'b')], 'close:1002');
add('5 fragmented pong', [frame(PONG, 'a'), frame(FIN, 'b')], 'close:1002');
add('5 two fragments', [text('fragment1', TEXT), text('fragment2', FIN)],
    T('fragment1fragment2'));
add('5 two fragments with a ping', [text('fragment1', TEXT),
    frame(FIN | PING, 'pp'), text('fragment2', FIN)],
    'pong:7070 ' + T('fragment1fragment2'));
add('5 continuation first', [text('a', FIN), text('b')], 'close:1002');
add('5 continuation first, not the last', [text('a', 0), text('b')],
    'close:1002');
add('5 continuation after a message', [text('a'), text('b', FIN)],
    'T:61 close:1002');
add('5 text within a message', [text('a', TEXT), text('b')], 'close:1002');
add('5 binary within a message', [binary('a', BINARY), binary('b')],
    'close:1002');
add('5 five fragments with pings', [text('f1', TEXT), text('f2', 0),
    frame(FIN | PING, 'p1'), text('f3', 0), text('f4', 0),
    frame(FIN | PING, 'p2'), text('f5', FIN)],
    'pong:7031 pong:7032 ' + T('f1f2f3f4f5'));
add('5 empty fragments', [text('', TEXT), text('', 0), text('', FIN)], 'T:');
add('5 empty fragments around text', [text('', TEXT), text('mid', 0),
    text('', FIN)], T('mid'));
add('5 binary in fragments of one byte', [binary('a', BINARY),
    ...[...'bcdefgh'].map(c => binary(c, 0)), binary('', FIN)],
    B('abcdefgh'));
add('5 not masked', [frame(FIN | TEXT, 'a', { masked: false })],
    'close:1002');
add('5 length of 5 in two bytes', [frame(FIN | TEXT, 'Hello', { form: 2 })],
    'close:1002');
add('5 length of 5 in eight bytes', [frame(FIN | TEXT, 'Hello', { form: 8 })],
    'close:1002');

// 6 UTF-8
const valid = {
    'word': 'ceba e1bdb9 cf83 cebc ceb5',
    'first of two bytes': 'c280', 'first of three': 'e0a080',
    'first of four': 'f0908080', 'last of one': '7f', 'last of two': 'dfbf',
    'last of three': 'efbfbf', 'U+10FFFF': 'f48fbfbf', 'U+D7FF': 'ed9fbf',
    'U+E000': 'ee8080', 'U+FFFD': 'efbfbd', 'U+FFFE': 'efbfbe',
    'U+1FFFE': 'f09fbfbe', 'U+10FFFE': 'f48fbfbe', 'zero': '00',
    'mixed': '48656c6c6f2d c2b540 c39fc3b6 c3a4c3bc c3a0c3a1 2d5554462d382121',
};
for (const [name, h] of Object.entries(valid)) {
    const b = hex(h);
    add(`6 ${name}`, [text(b)], 'T:' + show(b));
    add(`6 ${name} in fragments of one byte`, [
        ...[...b].map((c, i) => text(Buffer.from([c]), i ? 0 : TEXT)),
        text('', FIN)], 'T:' + show(b));
    for (let i = 1; i < b.length; i++)
        add(`6 ${name} in two at ${i}`, [text(b.subarray(0, i), TEXT),
            text(b.subarray(i), FIN)], 'T:' + show(b), { pieces: [1 << 20] });
}
const invalid = {
    'above U+10FFFF': 'f4908080', 'five bytes': 'f888808080',
    'six bytes': 'fc8480808080', 'continuation': '80', 'continuations': 'bf80',
    'all continuations': '808182838485868788898a8b8c8d8e8f90',
    'lonely c0': 'c020', 'lonely df': 'df20', 'lonely e0': 'e020',
    'lonely f0': 'f020', 'fe': 'fe', 'ff': 'ff', 'fe fe ff ff': 'fefeffff',
    'overlong /': 'c0af', 'overlong / of three': 'e080af',
    'overlong / of four': 'f08080af', 'overlong c1bf': 'c1bf',
    'overlong e09fbf': 'e09fbf', 'overlong f08fbfbf': 'f08fbfbf',
    'overlong zero': 'c080', 'U+D800': 'eda080', 'U+DB7F': 'edadbf',
    'U+DFFF': 'edbfbf', 'pair of surrogates': 'eda080edb080',
    'cut two': 'df', 'cut three': 'efbf', 'cut four': 'f7bfbf',
    'cut f0': 'f09080', 'cut word': 'cebae1bdb9cf83cebcce',
    'surrogate in a word': 'cebae1bdb9cf83cebcceb5eda080656469746564',
};
for (const [name, h] of Object.entries(invalid)) {
    add(`6 ${name}`, [text(hex(h))], 'close:1007');
    add(`6 ${name} as fragments`, [
        ...[...hex(h)].map((c, i) => text(Buffer.from([c]), i ? 0 : TEXT)),
        text('', FIN)], 'close:1007', { pieces: [1 << 20] });
}
add('6 fails before the rest of the message', [text(hex('cebaeda0'), TEXT)],
    'close:1007');
add('6 fails before the rest of the frame',
    [frame(FIN | TEXT, hex('cebaf490'), { len: 20 })], 'close:1007');

// 7 closing
add('7 close', [text('a'), close()], 'T:61 close:1005');
add('7 close with code', [close(1000)], 'close:1000');
add('7 close with reason', [close(1000, 'Hello World!')], 'close:1000');
add('7 close with the longest reason', [close(1000, '*'.repeat(123))],
    'close:1000');
add('7 close with too long a reason', [close(1000, '*'.repeat(124))],
    'close:1002');
add('7 close with one byte', [frame(FIN | CLOSE, 'a')], 'close:1002');
add('7 close with invalid UTF-8', [frame(FIN | CLOSE,
    Buffer.concat([code(1000), hex('cebaeda080')]))], 'close:1007');
add('7 two closes', [close(1000), close(1000)], 'close:1000');
add('7 ping after close', [close(1000), frame(FIN | PING)], 'close:1000');
add('7 text after close', [close(1000), text('after')], 'close:1000');
add('7 close within a message', [text('a', TEXT), close(1000),
    text('b', FIN)], 'close:1000');
add('7 a lot, then close and ping', [text('B'.repeat(262144)), text('a'),
    close(1000), frame(FIN | PING)], 'T:[262144] T:61 close:1000');
for (const n of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
    1013, 1014, 3000, 3999, 4000, 4999])
    add(`7 close ${n}`, [close(n)], `close:${n}`, { pieces: [1 << 20] });
for (const n of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000,
    65535])
    add(`7 close ${n}`, [close(n)], 'close:1002', { pieces: [1 << 20] });

// 9 sizes and amounts
const M = 1 << 20;
for (const n of [65536, 262144, M, 4 * M]) {
    add(`9 text of ${n}`, [text('*'.repeat(n))], `T:[${n}]`);
    add(`9 binary of ${n}`, [binary(Buffer.alloc(n, 0xfe))], `B:[${n}]`);
}
for (const n of [64, 1024, 65536, M]) {
    const total = n === 64 ? M / 8 : 2 * M;
    const parts = Array.from({ length: total / n }, (_, i) => binary(
        Buffer.alloc(n, i), (i ? 0 : BINARY) | (i === total / n - 1 ? FIN : 0)));
    add(`9 binary of ${total} in fragments of ${n}`, parts, `B:[${total}]`);
}
for (const p of [64, 1024, 2048])
    add('9 text of 65536', [text('*'.repeat(65536))], 'T:[65536]',
        { pieces: [p] });
add('9 thousand short messages', Array.from({ length: 1000 },
    (_, i) => binary(Buffer.alloc(i % 200, i))), Array.from({ length: 1000 },
    (_, i) => 'B:' + show(Buffer.alloc(i % 200, i))).join(' '));
add('9 text of three-byte characters', [text('\u20ac'.repeat(50001))],
    'T:[150003]', { pieces: [1 << 20, 4093] });
add('10 text of 65536 in fragments of 1300', Array.from({ length: 51 },
    (_, i) => text('*'.repeat(i < 50 ? 1300 : 536), (i ? 0 : TEXT)
        | (i === 50 ? FIN : 0))), 'T:[65536]');

(async () => {
    // some at a time: each takes a handshake
    let next = 0;
    const worker = async () => {
        while (next < cases.length) {
            const c = cases[next++];
            const got = await run(c.bytes, c.piece, c.query);
            if (got === c.expected)
                console.log(`ok ${c.name}`);
            else
                console.log(`not ok ${c.name} # got "${got.slice(0, 200)}",`
                    + ` expected "${c.expected.slice(0, 200)}"`);
        }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    process.exit(0);
})();
