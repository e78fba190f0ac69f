/*
 * Drives a headless Chromium for t/browser.t: one JSON command per line on
 * stdin, one JSON answer per line on stdout.
 *
 *   {"do":"page","url":URL}               -> {"page":n}
 *   {"do":"eval","page":n,"js":TEXT}      -> {"value":...}
 *   {"do":"fill","page":n,"at":SELECTOR,"text":TEXT}
 *   {"do":"file","page":n,"at":SELECTOR,"text":PATH}
 *   {"do":"click","page":n,"at":SELECTOR,"x":X,"y":Y}
 *   {"do":"type","page":n,"text":TEXT}    also {"do":"press","text":KEY}
 *   {"do":"wait","page":n,"js":TEXT,"ms":LIMIT}   until TEXT is true
 *   {"do":"close","page":n}
 *
 * A failure is {"error":TEXT}.
 */

'use strict';

const { chromium } = require('playwright-core');
const readline = require('readline');

const pages = [];


async function obey(browser, command) {
    const page = pages[command.page];

    switch (command.do) {

    case 'page': {
        const context = await browser.newContext({ ignoreHTTPSErrors: true });
        const fresh = await context.newPage();

        fresh.log = [];
        fresh.on('console', (m) => fresh.log.push(m.text()));
        fresh.on('pageerror', (e) => fresh.log.push(String(e)));

        await fresh.goto(command.url);
        pages.push(fresh);
        return { page: pages.length - 1 };
    }

    case 'eval':
        return { value: await page.evaluate(command.js) };

    case 'fill':
        await page.fill(command.at, command.text);
        return {};

    case 'file':
        await page.setInputFiles(command.at, command.text);
        return {};

    case 'click':
        await page.click(command.at, command.x === undefined ? {}
            : { position: { x: command.x, y: command.y } });
        return {};

    case 'type':
        await page.keyboard.type(command.text);
        return {};

    case 'press':
        await page.keyboard.press(command.text);
        return {};

    case 'wait':
        await page.waitForFunction(command.js, null,
            { timeout: command.ms || 15000, polling: 50 });
        return {};

    case 'log':
        return { value: page.log };

    case 'close':
        await page.context().close();
        return {};
    }

    throw new Error('unknown command ' + command.do);
}


async function main() {
    const browser = await chromium.launch({
        executablePath: process.argv[2], headless: true,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
            '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync']
    });

    console.log(JSON.stringify({ ready: browser.version() }));

    for await (const line of readline.createInterface(process.stdin)) {
        let answer;

        try {
            answer = await obey(browser, JSON.parse(line));

        } catch (e) {
            answer = { error: String(e.message).split('\n')[0] };
        }

        console.log(JSON.stringify(answer));
    }

    await browser.close();
}


main().catch((e) => {
    console.log(JSON.stringify({ error: String(e.message) }));
    process.exit(1);
});
