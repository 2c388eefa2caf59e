#!/bin/sh
# node with worker threads: strings, buffers, JSON, sorting, hashes and messages between the threads.

. "$(dirname "$0")/data/common.sh"
need node nodejs

rounds=6
soaking && rounds=200

cat >load.js <<'END'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { createHash } = require('crypto');
const { deflateSync, inflateSync } = require('zlib');

function work(seed, rounds) {
    const hash = createHash('sha256');
    let state = seed;
    const number = below => (state = state * 16807 % 2147483647) % below;
    let kept = [];
    for (let round = 0; round < rounds; round++) {
        const things = Array.from({ length: 2000 }, (_, i) => ({ i, key: number(1e6), text: 'x'.repeat(number(300)) }));
        const text = JSON.stringify(things.sort((a, b) => a.key - b.key || a.i - b.i));
        const packed = deflateSync(Buffer.from(text));
        kept.push(Buffer.alloc(number(200000), round));
        if (kept.length > 20) kept = kept.filter((_, i) => i % 2);
        hash.update(inflateSync(packed)).update(kept[number(kept.length)]);
    }
    return hash.digest('hex');
}

if (isMainThread) {
    const rounds = Number(process.argv[2]), threads = 4, results = [];
    for (let i = 0; i < threads; i++) {
        const worker = new Worker(__filename, { workerData: { seed: i + 1, rounds } });
        worker.on('message', ({ digest, big }) => { results[i] = `${digest} ${big.length} ${big[big.length - 1]}`; });
        worker.on('exit', code => {
            if (code) process.exit(code);
            if (Object.keys(results).length === threads) console.log(results.join('\n'));
        });
    }
} else {
    const digest = work(workerData.seed, workerData.rounds), big = Buffer.alloc(3000000, workerData.seed);
    parentPort.postMessage({ digest, big });
}
END

preloaded node load.js "$rounds" | sort -u
