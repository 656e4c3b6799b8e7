// The SDK's database worker, with the library under test instead of the one that the SDK brings along.

import { workerData } from 'node:worker_threads';
import { startPowerSyncWorker } from '@powersync/node/worker.js';

startPowerSyncWorker({ extensionPath: () => workerData.library });
