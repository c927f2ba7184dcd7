// A real browser (Chromium by playwright-core) walks step 1 and the licences page, with and without JavaScript. With config.shots set it also keeps
// a picture of every page in both languages at both widths. On every page: nothing from elsewhere, no error in the console, no sideways scrolling.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { check, config, equal, main } from './lib.mjs'

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const [traffic, market] = config.departments
const own = (url) => new URL(url).hostname === 'localhost' || url.startsWith('data:') || url === 'about:blank'

// a walker is one browser window with its own cookies.
async function walker(browser, name, javaScriptEnabled) {
  const context = await browser.newContext({ javaScriptEnabled, locale: 'zh-CN', viewport: { width: 390, height: 844 } })
  const page = await context.newPage()
  const wrong = []
  page.setDefaultTimeout(15_000)
  page.on('request', (r) => { if (!own(r.url())) wrong.push(`request ${r.url()}`) })
  page.on('pageerror', (e) => wrong.push(`script: ${e}`))
  page.on('console', (m) => {
    // A page that answers 4xx is reported here too; those are asked for below.
    if (m.type() === 'error' && !/status of 40[0-9]/.test(m.text())) wrong.push(`console: ${m.text()}`)
  })
  const w = {
    page,
    click: (id) => page.locator(`#${id}`).click().then(() => page.waitForLoadState()),
    go: (url) => page.goto(url),
    has: async (id) => (await page.locator(`#${id}`).count()) === 1,
    at: () => page.url(),
    me: async (origin) => {
      const res = await context.request.get(origin + '/me')
      return res.status() === 200 ? res.json() : { status: res.status() }
    },
    // look judges the page that is shown, and keeps pictures of it.
    async look(what, languages = ['zh', 'en']) {
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      check(`${name}: ${what} fits 390 px`, sideways <= 0, sideways)
      const ids = await page.evaluate(() => [...document.querySelectorAll('[id]')].map((e) => e.id))
      equal(`${name}: ${what} has each id once`, ids.filter((id, i) => ids.indexOf(id) !== i), [])
      if (!config.shots || !javaScriptEnabled) return
      const here = page.url()
      for (const language of languages) {
        if (languages.length > 1) {
          const url = new URL(here)
          url.searchParams.set('lang', language)
          await page.goto(url.href)
          const tag = await page.evaluate(() => document.documentElement.lang)
          check(`${name}: ${what} in ${language}`, tag.startsWith(language), tag)
        }
        for (const width of [390, 1280]) {
          await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
          const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
          check(`${name}: ${what} in ${language} fits ${width} px`, over <= 0, over)
          await page.screenshot({ path: join(config.shots, `${what}.${language}.${width}.png`), fullPage: true })
        }
      }
      await page.setViewportSize({ width: 390, height: 844 })
      if (languages.length > 1) {
        const url = new URL(here)
        url.searchParams.set('lang', 'zh')
        await page.goto(url.href)
      }
    },
    async end() {
      equal(`${name}: nothing from elsewhere, no error`, wrong, [])
      await context.close()
    },
  }
  return w
}

async function walk(browser, name, javaScriptEnabled) {
  const w = await walker(browser, name, javaScriptEnabled)
  await w.go(config.issuer + '/')
  await w.look('start')

  // The first department: chooser, province, consent.
  await w.go(traffic)
  await w.look('department', ['zh'])
  await w.click('login')
  check(`${name}: the chooser`, w.at().startsWith(config.issuer + '/login/') && (await w.has('province-440000')), w.at())
  await w.look('chooser')
  const chooser = w.at()
  for (const q of ['广东', 'guangdong', 'gd', '440000']) {
    await w.page.locator('#q').fill(q)
    await w.page.locator('#q').press('Enter')
    await w.page.waitForLoadState()
    check(`${name}: search ${q}`, await w.page.locator('#province-440000').isVisible(), w.at())
    await w.go(chooser)
  }
  await w.page.locator('#q').fill('xyzzy')
  await w.page.locator('#q').press('Enter')
  await w.page.waitForLoadState()
  await w.look('chooser-nothing-found')
  await w.go(chooser)
  await w.click('province-440000')
  check(`${name}: the province`, w.at().startsWith(config.provinces['440000']), w.at())
  await w.look('province', ['zh'])
  await w.click('person-li-xiuying')
  check(`${name}: the consent page`, await w.has('consent-allow') && await w.has('consent-deny'), w.at())
  const text = await w.page.locator('main').innerText()
  check(`${name}: consent names what is given and what is not`, text.includes('李秀英') && text.includes('身份证号码') && !/\d{17}[\dX]/.test(text), text)
  await w.look('consent')
  await w.click('consent-allow')
  check(`${name}: logged in`, w.at().startsWith(traffic) && (await w.has('logout')), w.at())
  await w.look('department-logged-in', ['zh'])
  const first = await w.me(traffic)
  equal(`${name}: level`, first.acr, 'loa3')

  // The second department asks for consent, not for the province, and knows her by another subject.
  await w.go(market)
  await w.look('market', ['zh'])
  await w.click('login')
  check(`${name}: straight to consent`, (await w.has('consent-allow')) && w.at().startsWith(config.issuer + '/consent/'), w.at())
  await w.look('consent-market')
  await w.click('consent-deny')
  check(`${name}: declined`, w.at().startsWith(market) && (await w.has('login')), w.at())
  await w.look('market-declined', ['zh'])
  await w.click('login')
  await w.click('consent-allow')
  const second = await w.me(market)
  check(`${name}: another subject`, second.sub && second.sub !== first.sub, [first, second])

  // Her licences, and an offer for a wallet.
  await w.go(config.issuer + '/licences')
  await w.look('licences')
  await w.click('offer-driving-licence')
  const offer = await w.page.locator('#offer-uri').getAttribute('href')
  check(`${name}: an offer`, offer?.startsWith('openid-credential-offer://?'), offer)
  check(`${name}: a transaction code`, /^\d[\d\s]{5,10}$/.test((await w.page.locator('#tx-code').innerText()).trim()), await w.page.locator('#tx-code').innerText())
  await w.look('offer')

  // Log out: everywhere but at the second department's own session.
  await w.go(traffic)
  await w.click('logout')
  if (await w.has('logout-confirm')) {
    await w.look('logout')
    await w.click('logout-confirm')
  }
  await w.look('logged-out', w.at().startsWith(config.issuer) ? ['zh', 'en'] : ['zh'])
  equal(`${name}: logged out`, (await w.me(traffic)).status, 401)
  await w.go(traffic)
  await w.click('login')
  check(`${name}: the province is asked for again`, await w.has('province-440000'), w.at())
  await w.look('chooser-remembered')
  await w.go(w.at() + (w.at().includes('?') ? '&' : '?') + 'mode=senior')
  await w.look('chooser-senior')
  await w.end()
}

// others looks at pages off the main way.
async function others(browser) {
  const w = await walker(browser, 'others', true)
  await w.go(config.issuer + '/login/nothing/')
  check('others: an error page with its trace id', await w.has('trace-id'), w.at())
  await w.look('problem')
  await w.go(config.issuer + '/logout')
  await w.look('logout-without-hint')
  await w.go(config.provinces['440000'] + '/faults')
  await w.look('province-faults', ['zh'])

  // A login for the national server's own page, and the way out from there.
  await w.go(config.issuer + '/licences?mode=senior')
  await w.look('licences-chooser-senior')
  await w.go(config.issuer + '/licences?mode=standard') // the senior chooser asks for the region first
  await w.click('province-440000')
  await w.click('person-li-xiuying')
  await w.go(config.issuer + '/?mode=standard')
  await w.look('start-after-login')
  await w.go(config.issuer + '/licences')
  await w.click('logout')
  check('others: log out asks first', await w.has('logout-confirm'), w.at())
  await w.look('logout-confirm')
  await w.click('logout-confirm')
  equal('others: the page after logging out can be opened again', w.at(), config.issuer + '/logout')
  await w.look('logged-out-national')
  await w.go(config.issuer + '/licences')
  check('others: licences ask for a login again', await w.has('province-440000'), w.at())

  // Consent as the elderly see it.
  await w.go(market + '/login')
  await w.click('province-440000')
  await w.click('person-li-xiuying')
  await w.go(w.at() + '?mode=senior')
  await w.look('consent-senior')
  await w.end()
}

await main(async () => {
  if (config.shots) await mkdir(config.shots, { recursive: true })
  const browser = await chromium.launch({ executablePath: config.chromium, headless: true, args: flags })
  try {
    for (const [name, js] of [['with JavaScript', true], ['without JavaScript', false]]) await walk(browser, name, js)
    if (config.shots) await others(browser)
  } finally {
    await browser.close()
  }
})
