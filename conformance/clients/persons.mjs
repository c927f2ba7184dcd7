// The three people who are not developers, and a stranger, in a real browser at 390 px, with and without JavaScript: a citizen takes and shows her licence from
// the hosted wallet, a clerk checks it at the counter, a stranger scans what she shows; what the department sealed is looked up. With JavaScript every page is
// judged by axe-core in both languages, light and dark.
import { ask, check, config, equal, main } from './lib.mjs'
import { launch, walker } from './window.mjs'

const counter = config.counters[1]

async function login(w, person) {
  await w.click('province-440000')
  await w.click(`person-${person}`)
}

// judge types into the counter's field and reads the verdict.
async function judge(w, text) {
  await w.go(counter)
  await w.page.locator('#counter-input').fill(text)
  await w.click('counter-check')
  return w.page.locator('#counter-verdict').getAttribute('data-verdict')
}

const shownText = (w) => w.page.locator('#shown-presentation').evaluate((e) => (e.value ?? e.textContent).trim())

async function walk(browser, name, js, lang) {
  // A page that can be asked for again was judged in both languages by the first walk.
  const looks = (what, again = true) => (again ? [what, lang === 'en' ? [] : undefined] : [what, [lang]])
  const citizen = await walker(browser, `${name}: citizen`, js, { lang })
  const clerk = await walker(browser, `${name}: clerk`, js, { lang })
  const stranger = await walker(browser, `${name}: stranger`, js, { lang })
  if (lang === 'en') for (const [w, at] of [[citizen, config.issuer + '/'], [clerk, counter], [stranger, config.issuer + '/']]) await w.go(at + '?lang=en')

  // The citizen: her wallet, her licence, a copy in the wallet.
  await citizen.go(config.wallet)
  await login(citizen, 'li-xiuying')
  check(`${name}: back at the wallet after the login`, citizen.at().startsWith(config.wallet), citizen.at())
  await citizen.look(...looks('wallet'))
  if (await citizen.has('take-driving-licence')) await citizen.click('take-driving-licence')
  check(`${name}: she can show it now`, await citizen.has('show-driving-licence'), citizen.at())
  await citizen.look(...looks('wallet-taken'))

  // Without being asked: for a purpose, for ten minutes.
  await citizen.click('show-driving-licence')
  await citizen.look(...looks('wallet-show'))
  await citizen.click('show-confirm')
  await citizen.look(...looks('wallet-shown'))
  const unasked = await shownText(citizen)
  const link = await citizen.page.locator('#shown-link').getAttribute('href')
  check(`${name}: a presentation`, unasked.split('~').length > 2, unasked.slice(0, 80))

  // The stranger scans it.
  await stranger.go(new URL(link, config.issuer).href)
  await stranger.look(...looks('shown'))
  const seen = await stranger.page.locator('main').innerText()
  check(`${name}: the stranger sees no more than was shown`, !/\d{17}[\dX]/.test(seen) && !seen.includes('样本路'), seen)

  // The clerk: the challenge, the answer, the verdict.
  await clerk.go(counter)
  await clerk.look(...looks('counter'))
  equal(`${name}: the counter takes what she shows`, await judge(clerk, unasked), 'valid')
  await clerk.look(...looks('counter-valid', false))
  equal(`${name}: but not twice`, await judge(clerk, unasked), 'invalid')
  await clerk.look(...looks('counter-invalid', false))

  // Asked: she opens what the counter's code says.
  await clerk.go(counter)
  const asked = await clerk.page.locator('#counter-ask').getAttribute('href')
  await citizen.go(asked)
  await citizen.look(...looks('wallet-asked'))
  await citizen.click('show-confirm')
  await citizen.look(...looks('wallet-shown-asked'))
  const answer = await shownText(citizen)
  const answerLink = new URL(await citizen.page.locator('#shown-link').getAttribute('href'), config.issuer).href
  await stranger.go(answerLink)
  await stranger.look(...looks('shown-to-a-department'))
  check(`${name}: an answer to a department shows a stranger nothing`, !(await stranger.page.locator('main').innerText()).includes('李秀英'), answerLink)
  equal(`${name}: the clerk scans it`, await judge(clerk, answerLink), 'valid')
  equal(`${name}: a replayed challenge`, await judge(clerk, answer), 'invalid')
  equal(`${name}: junk`, await judge(clerk, 'hello'), 'invalid')
  const cut = answer.slice(0, answer.lastIndexOf('~') + 1)
  equal(`${name}: without the proof`, await judge(clerk, cut), 'cannot_tell')
  await clerk.look(...looks('counter-cannot-tell', false))
  const receipt = await clerk.text('counter-receipt')
  await clerk.click('counter-print')
  await clerk.look(...looks('counter-receipt'))
  equal(`${name}: the receipt of this check`, await clerk.text('counter-receipt'), receipt)
  check(`${name}: no claim values on the receipt`, !(await clerk.page.locator('main').innerText()).includes('李秀英'), clerk.at())
  for (const page of ['history', 'bundle']) {
    await clerk.go(`${counter}/${page}`)
    await clerk.look(...looks(`counter-${page}`))
  }

  // Her history, a report of an error, the way out.
  await citizen.go(config.wallet + '/history')
  await citizen.look(...looks('wallet-history'))
  const history = await citizen.page.locator('main').innerText()
  check(`${name}: her history names who saw what`, history.includes(lang === 'en' ? 'Market' : '市场监督管理局'), history)
  await citizen.go(config.wallet)
  await citizen.click('open-driving-licence')
  await citizen.look(...looks('wallet-licence'))
  const open = citizen.at()
  await citizen.go(`${config.wallet}/history?licence=${encodeURIComponent(decodeURIComponent(new URL(open).pathname.split('/').at(-1)))}`)
  await citizen.look(...looks('wallet-history-of-one'))
  check(`${name}: the history of one licence`, (await citizen.page.locator('main .chips [aria-current]').count()) === 1, citizen.at())
  await citizen.go(open)
  await citizen.click('report-driving-licence')
  await citizen.look(...looks('report'))
  await citizen.page.locator('#report-field-address').check()
  await citizen.page.locator('#report-text').fill('住址应为样本路 2 号')
  await citizen.click('report-send')
  await citizen.look(...looks('reports'))
  const reported = await ask({ answer: '已更正（样本）' })
  check(`${name}: the authority read her report`, reported.text?.includes('样本路 2 号'), reported)
  await citizen.go(config.wallet + '/reports')
  check(`${name}: she reads the answer`, (await citizen.page.locator('main').innerText()).includes('已更正'), citizen.at())
  await citizen.go(config.wallet)
  await citizen.click('logout')
  if (await citizen.has('logout-confirm')) await citizen.click('logout-confirm')
  await citizen.go(config.wallet)
  check(`${name}: logged out`, await citizen.has('province-440000'), citizen.at())

  // Another person at the same phone.
  await login(citizen, 'he-jiaming')
  await citizen.go(config.wallet + '/history')
  check(`${name}: another person at this phone sees nothing of hers`, !(await citizen.page.locator('main').innerText()).includes('市场监督管理局'), citizen.at())

  // What the department sealed: the seal's own page.
  const sealed = await ask({ seal: true })
  await stranger.go(config.issuer + '/seals/' + sealed.id)
  await stranger.look(...looks('seal'))
  check(`${name}: the seal's page`, (await stranger.page.locator('main').innerText()).includes(sealed.id), stranger.at())
  for (const w of [citizen, clerk, stranger]) await w.end()
}

// senior looks at the wallet as the elderly see it.
async function senior(browser) {
  const w = await walker(browser, 'senior', true)
  await w.go(config.wallet + '?mode=standard')
  await login(w, 'li-xiuying')
  await w.go(config.wallet + '?mode=senior')
  await w.look('wallet-senior', ['zh'])
  await w.click('show-driving-licence')
  await w.look('wallet-show-senior', ['zh'])
  await w.click('show-confirm')
  await w.look('wallet-shown-senior', ['zh'])
  await w.end()
}

await main(async () => {
  const browser = await launch()
  try {
    await walk(browser, 'without JavaScript', false, 'zh')
    if (!config.brief) {
      await walk(browser, 'with JavaScript', true, 'zh')
      await walk(browser, 'in English', true, 'en')
      await senior(browser)
    }
  } finally {
    await browser.close()
  }
})
