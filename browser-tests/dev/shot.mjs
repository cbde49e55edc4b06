import { launch } from '../launch.mjs';
import { mkdirSync } from 'node:fs';
const base = process.argv[2]; mkdirSync('../target/screenshots', { recursive: true });
const { context, close } = await launch({ viewport: { width: 1000, height: 760 } });
const page = await context.newPage();
page.on('console', (m) => console.log('console', m.text())); page.on('pageerror', (e) => console.log('pageerror', e.stack)); page.on('requestfailed', (r) => console.log('failed', r.url()));
const shot = (name) => page.screenshot({ path: `/tmp/shots/${name}.png` });
try {
  await page.goto(base + '/customer.html?as=anna&lang=ru');
  const w = page.locator('chatcore-widget');
  await w.locator('.opener').click();
  await w.locator('textarea').fill('Здравствуйте, есть вопрос'); await page.keyboard.press('Enter');
  await w.locator('.choice').first().waitFor(); await shot('w1');
  await w.getByText('Cards').first().click(); await w.locator('.card').waitFor();
  await w.getByText('Позвать сотрудника').click(); await w.locator('.waiting').waitFor(); await shot('w2');
  await page.setViewportSize({ width: 320, height: 600 }); await page.emulateMedia({ colorScheme: 'dark' }); await shot('w3');
  await w.getByText('Завершить разговор').click(); await w.getByRole('button', { name: 'Да', exact: true }).click(); await w.locator('.rating').waitFor(); await page.emulateMedia({ colorScheme: 'light' });
  await w.locator('.star').nth(3).click(); await shot('w4');
  await w.getByText('Оценить').click(); await w.locator('.thanks').waitFor(); await shot('w5');
} catch (e) { console.log(String(e).slice(0, 1500)); await shot('err'); } finally { await close(); }
