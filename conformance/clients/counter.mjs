// A clerk in Chromium at a department's counter: asks, pastes what a wallet shows, reads the verdict, compares the person, prints, looks things up. With and
// without JavaScript, in both languages; every page is judged as in walk.mjs.
import { check, config, equal, main, ask } from './lib.mjs'
import { launch, walker } from './window.mjs'

async function clerk(browser, name, javaScriptEnabled, lang) {
  const w = await walker(browser, name, javaScriptEnabled, { lang })
  const put = async (text) => {
    await w.go(config.counter + '?lang=' + lang)
    await w.page.locator('#counter-input').fill(text)
    await w.page.locator('#counter-input').press('Enter') // as a scanner ends its line
    await w.page.waitForLoadState()
    return w.page.locator('#counter-verdict').getAttribute('data-verdict', { timeout: 3000 }).catch(() => null)
  }
  await w.go(config.counter + '?lang=' + lang)
  const focus = await w.page.evaluate(() => document.activeElement?.id)
  equal(`${name}: the cursor is in the field`, focus, 'counter-input')
  check(`${name}: the code shows the link`, (await w.page.locator('main svg.qr').count()) === 1, w.at())
  await w.look('counter', [lang])
  const challenge = { nonce: await w.page.locator('#counter-nonce').textContent(), audience: await w.page.locator('#counter-audience').textContent() }
  const { presentation } = await ask({ present: challenge })

  equal(`${name}: valid`, await put(presentation), 'valid')
  const shown = await w.page.locator('main').innerText()
  check(`${name}: what was shown stands there`, shown.includes('李秀英') && !/\d{17}[\dX]/.test(shown), shown)
  const receipt = await w.text('counter-receipt')
  await w.look('counter-valid', [lang])
  await w.click('counter-same')
  equal(`${name}: the receipt`, await w.text('counter-receipt'), receipt)
  check(`${name}: the receipt holds no data`, !(await w.page.locator('main').innerText()).includes('李秀英'), w.at())
  await w.look('counter-receipt', [lang])

  equal(`${name}: used`, await put(presentation), 'invalid')
  await w.look('counter-invalid', [lang])
  equal(`${name}: without its proof`, await put(presentation.slice(0, presentation.lastIndexOf('~') + 1)), 'cannot_tell')
  await w.look('counter-cannot-tell', [lang])
  equal(`${name}: a foreign link`, await put('http://169.254.169.254/latest'), null)
  await w.look('counter-refused-link', [lang])
  equal(`${name}: a link that is over`, await put(config.issuer + '/shown/AAAAAAAAAAAAAAAAAAAAAAAAAAAA'), 'cannot_tell')
  await w.look('counter-link-over', [lang])

  await w.go(config.counter)
  await w.page.locator('#counter-file').setInputFiles({ name: 'shown.txt', mimeType: 'text/plain', buffer: Buffer.from(presentation) })
  await w.click('counter-check')
  equal(`${name}: by a file`, await w.page.locator('#counter-verdict').getAttribute('data-verdict'), 'invalid')

  await w.go(config.counter + '/history')
  check(`${name}: the history knows the receipt`, (await w.page.locator('main').innerText()).includes(receipt), w.at())
  await w.look('counter-history', [lang])
  await w.go(config.counter + '/bundle')
  await w.click('counter-refresh')
  await w.look('counter-bundle', [lang])
  await w.go(config.counter + '/nothing')
  await w.look('counter-problem', [lang])
  await w.end()
}

// camera: Chromium's own camera, permission and policy, and our script. On Linux Chromium has no BarcodeDetector, so one stands in that reads its answer from
// every picture with anything in it.
async function camera(browser) {
  const name = 'clerk with a camera'
  const w = await walker(browser, name, true, { lang: 'zh' })
  await w.go(config.counter)
  check(`${name}: without a detector there is no button`, await w.page.locator('#counter-camera').isHidden(), w.at())
  await w.page.addInitScript(() => {
    globalThis.BarcodeDetector = class {
      static getSupportedFormats = async () => ['qr_code']
      detect = async (video) => (video.videoWidth > 0 && !video.paused ? [{ rawValue: 'read by the camera' }] : [])
    }
  })
  await w.go(config.counter)
  await w.look('counter-camera', ['zh'])
  await w.page.locator('#counter-camera button').click()
  await w.page.waitForURL('**/counter/check')
  equal(`${name}: what it read was checked`, await w.page.locator('#counter-verdict').getAttribute('data-verdict'), 'invalid')

  await w.context.clearPermissions()
  await w.page.addInitScript(() => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError') } })
  await w.go(config.counter)
  await w.page.locator('#counter-camera button').click()
  await w.page.locator('#counter-camera p').waitFor({ state: 'visible' })
  check(`${name}: refused, the page says what else works`, await w.page.locator('#counter-camera video').isHidden(), w.at())
  await w.look('counter-camera-refused', ['zh'])
  await w.end()
}

await main(async () => {
  const browser = await launch()
  try {
    await clerk(browser, 'clerk', true, 'zh')
    await clerk(browser, 'clerk in English', true, 'en')
    await clerk(browser, 'clerk without JavaScript', false, 'zh')
    await camera(browser)
  } finally {
    await browser.close()
  }
})
