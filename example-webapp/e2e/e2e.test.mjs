// All browser tests are one file to node's test runner, so that they share one browser.
import { after } from 'node:test';
import { closeBrowser } from './browser.mjs';
import './suites/devices.mjs';
import './suites/embedded.mjs';
import './suites/guards.mjs';
import './suites/oidc-provider.mjs';
import './suites/people.mjs';
import './suites/sessions.mjs';
import './suites/single-page.mjs';
import './suites/tenants.mjs';

after(closeBrowser);
