// A real browser (Chromium by playwright-core) walks step 1 and the licences page, with and without JavaScript. On every page: nothing from elsewhere, no
// error in the console, no sideways scrolling, nothing found by axe-core; with config.shots set, pictures.
import { check, config, equal, main } from './lib.mjs'
import { launch, walker } from './window.mjs'

const [traffic, market] = config.departments

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
  const browser = await launch()
  try {
    for (const [name, js] of [['with JavaScript', true], ['without JavaScript', false]]) await walk(browser, name, js)
    if (config.shots) await others(browser)
  } finally {
    await browser.close()
  }
})
