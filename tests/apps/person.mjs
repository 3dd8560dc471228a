// Somebody in front of Chromium, who signs in and says what an app is granted.

// Goes on from page to page until the app has something to show, or there is nothing to go on with.
export async function goThrough(page, { provider, server, app, login, patient, narrow, decision = 'allow' }) {
  for (let step = 0; step < 12; step += 1) {
    const url = new URL(page.url());
    if (url.origin === app && url.pathname === '/index.html') {
      if (url.searchParams.get('error')) return { refused: url.searchParams.get('error') };
      await page.waitForFunction(() => document.getElementById('result').textContent);
      return JSON.parse(await page.$eval('#result', (element) => element.textContent));
    }
    if (url.origin === provider) {
      if (await page.$('input[name=login]')) {
        await page.type('input[name=login]', login);
        await page.type('input[name=password]', 'any');
      }
      await press(page, 'button[type=submit]');
    } else if (url.origin === server && await page.$('button[value=allow]')) {
      if (patient && await page.$(`input[name=patient][value=${patient}]`)) {
        await page.click(`input[name=patient][value=${patient}]`);
      }
      if (narrow) await page.click(`input[name="${narrow}"]`);
      await press(page, `button[value=${decision}]`);
    } else if (url.origin === server) {
      return { told: await page.$eval('main', (element) => element.textContent) };
    } else {
      await page.waitForNavigation();
    }
  }
  throw new Error(`nothing came of it, the last page is ${page.url()}`);
}

async function press(page, button) {
  await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.click(button)]);
}
