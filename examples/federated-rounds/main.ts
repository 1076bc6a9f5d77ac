// npx tsx examples/federated-rounds/main.ts

import { federate } from './rounds.js';

const [before, ...after] = await federate({ rounds: 10 });
console.log(`loss before the first round: ${before?.toFixed(4)}`);
for (const [i, loss] of after.entries()) console.log(`after round ${i + 1}: ${loss.toFixed(4)}`);
