/*
 * A small console: logs in, lists connected devices, opens KVM, SOL and IDER
 * through the gateway with the public toolkit.  No AMT password is here: user
 * and password of the toolkit are placeholders.
 */

'use strict';

const toolkit = window['ui-toolkit/core'];
const $ = (id) => document.getElementById(id);

const api = '/api/v1';
const relay = location.origin.replace(/^http/, 'ws') + '/relay';

let token = '';                        // of the login
let session = null;                    // { mode, redirector, ... }


function say(text, bad) {
    $('status').textContent = text;
    $('status').className = bad ? 'bad' : '';
}


async function call(method, path, body) {
    const headers = {};

    if (token) {
        headers.Authorization = 'Bearer ' + token;
    }

    if (body) {
        headers['Content-Type'] = 'application/json';
    }

    const answer = await fetch(api + path, {
        method, headers, body: body ? JSON.stringify(body) : undefined
    });

    const json = await answer.json().catch(() => ({}));

    if (!answer.ok) {
        throw new Error(json.errorDescription || json.message
            || 'status ' + answer.status);
    }

    return json;
}


async function login() {
    const answer = await call('POST', '/authorize', {
        username: $('user').value, password: $('password').value
    });

    token = answer.token;
    $('password').value = '';
    await list();
    $('login').hidden = true;
    $('device').hidden = false;
    say('logged in');
}


async function list() {
    const rows = await call('GET', '/devices?status=1');

    $('guid').replaceChildren(...rows.map((row) =>
        new Option(row.hostname || row.guid, row.guid)));
}


function stop(text) {
    if (!session) {
        return;
    }

    const s = session;

    session = null;
    s.redirector.stop();

    if (s.keyboard) {
        s.keyboard.UnGrabKeyInput();
    }

    say(text || s.mode + ' ended');
}


/* the toolkit's states: 0 closed, 1 connecting, 2 open, 3 in use */

function changed(s, state) {
    s.state = state;

    if (session !== s) {
        return;
    }

    if (state === 3) {
        say(s.mode + ' is open');

    } else if (state === 0) {
        session = null;
        say(s.mode + ' ended' + (s.reason ? ': ' + s.reason : ''), true);
    }
}


/* a socket that remembers why it was closed */

function socketFor(s) {
    return class extends WebSocket {
        constructor(url, protocol) {
            super(url.replace(/\s/g, ''), protocol);
            this.addEventListener('close', (e) => {
                s.code = e.code;
                s.reason = e.reason || 'code ' + e.code;
                changed(s, 0);
            });
        }
    };
}


async function open(mode) {
    stop();

    const guid = $('guid').value;
    const grant = await call('GET', '/authorize/redirection/' + guid);
    const s = { mode, state: -1 };

    const config = {
        mode, protocol: { sol: 1, kvm: 2, ider: 3 }[mode],
        fr: new FileReader(), host: guid, port: 16994, user: '', pass: '',
        tls: 0, tls1only: 0, authToken: grant.token, server: relay
    };

    if (mode === 'kvm') {
        openKvm(s, config);

    } else if (mode === 'sol') {
        openSol(s, config);

    } else {
        openIder(s, config);
    }

    s.redirector.onStateChanged = (_, state) => changed(s, state);
    s.redirector.onError = () => stop('protocol error');

    session = s;
    say(mode + ' is being opened');
    s.redirector.start(socketFor(s));
}


function openKvm(s, config) {
    const redirector = new toolkit.AMTKvmDataRedirector(config);
    const desktop = new toolkit.AMTDesktop($('screen').getContext('2d'));
    const data = new toolkit.DataProcessor(redirector, desktop);
    const mouse = new toolkit.MouseHelper(desktop, redirector, 50);

    s.redirector = redirector;
    s.desktop = desktop;
    s.keyboard = new toolkit.KeyBoardHelper(desktop, redirector);

    redirector.onProcessData = (text) => desktop.processData(text);
    redirector.onStart = () => desktop.start();
    redirector.onNewState = (state) => desktop.onStateChange(state);
    redirector.onSendKvmData = (text) => desktop.onSendKvmData(text);

    desktop.onSend = (text) => redirector.send(text);
    desktop.processData = (text) => data.processData(text);
    desktop.onStateChange = (state) => {
        if (state === 3) {
            changed(s, 3);
        }
    };

    s.keyboard.GrabKeyInput();
    mouse.GrabMouseInput();

    $('screen').onmousedown = (e) => mouse.mousedown(e);
    $('screen').onmouseup = (e) => mouse.mouseup(e);
    $('screen').onmousemove = (e) => mouse.mousemove(e);
}


function openSol(s, config) {
    const redirector = new toolkit.AMTRedirector(config);
    const terminal = new toolkit.AmtTerminal();
    const data = new toolkit.TerminalDataProcessor(terminal);

    s.redirector = redirector;
    $('terminal').textContent = '';

    terminal.onSend = (text) => redirector.send(text);
    redirector.onNewState = (state) => terminal.StateChange(state);
    redirector.onStart = () => {};
    redirector.onProcessData = (text) => data.processData(text);

    data.processDataToXterm = (text) => {
        $('terminal').textContent += text.replace(/\r/g, '');
    };
    data.clearTerminal = () => { $('terminal').textContent = ''; };

    $('terminal').onkeydown = (e) => {
        const key = { Enter: '\r', Backspace: '\b', Tab: '\t', Escape: '\x1b' };
        const text = key[e.key] || (e.key.length === 1 ? e.key : '');

        if (text && !e.altKey && !e.ctrlKey && !e.metaKey) {
            terminal.TermSendKeys(text);
            e.preventDefault();
        }
    };

    $('terminal').focus();
}


function openIder(s, config) {
    const redirector = new toolkit.AMTRedirector(config);
    const ider = new toolkit.AMTIDER(redirector, $('image').files[0] || null,
                                     null);

    s.redirector = redirector;
    s.ider = ider;
    ider.iderStart = 2;                // now, not at the next reboot

    redirector.onNewState = (state) => ider.stateChange(state);
    redirector.onStart = () => {};
    redirector.onProcessData = (text) => ider.processData(text);
}


function guard(work) {
    return (e) => {
        e.preventDefault();
        Promise.resolve(work()).catch((error) => say(error.message, true));
    };
}


$('login').addEventListener('submit', guard(login));
$('kvm').addEventListener('click', guard(() => open('kvm')));
$('sol').addEventListener('click', guard(() => open('sol')));
$('ider').addEventListener('click', guard(() => open('ider')));
$('stop').addEventListener('click', guard(() => stop()));

/* for the test that drives this page */
window.amtConsole = () => session;
