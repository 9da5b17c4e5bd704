// Checks the console and /docs in Chromium. scripts/check_service.py starts it, with everything it needs in the environment.
//
// axe finds no problem of accessibility in the console. "Authorize" in /docs logs in, with the API key as the secret of a
// client, and a READ that is sent from there succeeds.
import { createRequire } from "node:module";

const { NODE_MODULES, CHROMIUM, API_KEY, CONSOLE, DOCS } = process.env;
const require = createRequire(`${NODE_MODULES}/`);
const puppeteer = require("puppeteer-core");
const axe = require("axe-core").source;

const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const problems = [];

async function checkConsole(browser) {
    const page = await browser.newPage();
    await page.goto(CONSOLE);
    await page.evaluate(axe);
    for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewport(viewport);
        for (const scheme of ["light", "dark"]) {
            await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
            const { violations } = await page.evaluate(() => globalThis.axe.run());
            for (const { id, help, nodes } of violations) {
                problems.push(`console, ${size}, ${scheme}: ${id}: ${help}: ${nodes[0].html}`);
            }
        }
    }
}

async function checkDocs(browser) {
    const page = await browser.newPage();
    page.on("console", (message) => message.type() === "error" && problems.push(`docs: ${message.text()}`));
    page.on("pageerror", (error) => problems.push(`docs: ${error}`));
    await page.goto(DOCS);
    await page.waitForSelector(".btn.authorize");
    await page.waitForSelector("#operations-cache-runCommands");
    const groups = await page.$$eval(".opblock-tag", (tags) => tags.map((tag) => tag.dataset.tag));
    if (groups[0] !== "login") problems.push(`docs: the first group is ${groups[0]}`);
    // A locator waits until the element is there and moves no more.
    await page.locator(".btn.authorize").click();
    await page.locator("#client_id_clientCredentials").fill("browser");
    await page.locator("#client_secret_clientCredentials").fill(API_KEY);
    await page.locator('.modal-ux [aria-label="Apply given OAuth2 credentials"]').click();
    await page.waitForSelector('.modal-ux [aria-label="Remove authorization"]');
    await page.locator(".modal-ux .btn-done").click();
    await page.locator("#operations-cache-runCommands .opblock-summary-control").click();
    await page.locator("#operations-cache-runCommands .try-out__btn").click();
    await page.locator("#operations-cache-runCommands .execute").click();
    const status = await page.waitForSelector("#operations-cache-runCommands .live-responses-table tr.response .response-col_status");
    const text = (await status.evaluate((cell) => cell.textContent)).trim();
    if (!text.startsWith("200")) problems.push(`docs: the first example of a command was answered ${text}`);
}

const browser = await puppeteer.launch({
    executablePath: CHROMIUM,
    // The user root has no sandbox. The certificate is that of the test.
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    acceptInsecureCerts: true,
});
try {
    await checkConsole(browser);
    await checkDocs(browser);
} catch (error) {
    problems.push(String(error));
} finally {
    await browser.close();
}
for (const problem of problems) console.log(`pages: ${problem}`);
process.exitCode = problems.length ? 1 : 0;
