// One browser window with its own cookies, and how a page in it is judged.
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { check, config, equal } from './lib.mjs'

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] // a camera that shows a test picture, and a person who allows it
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

const own = (url) => new URL(url).hostname === 'localhost' || /^(data|blob|chrome-error):/.test(url) || url === 'about:blank'

export async function launch() {
  if (config.shots) await mkdir(config.shots, { recursive: true })
  return chromium.launch({ executablePath: config.chromium, headless: true, args: flags })
}

// walker opens a window of a phone. o.lang is the page language for those pages that can't be asked for again in another one.
export async function walker(browser, name, javaScriptEnabled, o = {}) {
  const context = await browser.newContext({ javaScriptEnabled, locale: o.lang === 'en' ? 'en-GB' : 'zh-CN', viewport: { width: 390, height: 844 } })
  const page = await context.newPage()
  const wrong = []
  page.setDefaultTimeout(15_000)
  page.on('request', (r) => { if (!own(r.url())) wrong.push(`request ${r.url()}`) })
  page.on('pageerror', (e) => wrong.push(`script: ${e}`))
  page.on('console', (m) => {
    // A page that answers 4xx is reported here too; those are asked for below.
    if (m.type() === 'error' && !/status of 4[0-9][0-9]/.test(m.text())) wrong.push(`console: ${m.text()}`)
  })

  const inLanguage = async (here, language) => {
    const url = new URL(here)
    url.searchParams.set('lang', language)
    await page.goto(url.href)
    return page.evaluate(() => document.documentElement.lang)
  }

  // accessible runs axe-core, in light and in dark.
  async function accessible(what) {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.evaluate(axe)
      const found = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] }).then((r) =>
        r.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`)), rules)
      equal(`${name}: axe finds nothing on ${what}, ${colorScheme}`, found, [])
    }
    await page.emulateMedia({ colorScheme: 'light' })
  }

  async function picture(what) {
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      check(`${name}: ${what} fits ${width} px`, over <= 0, over)
      if (config.shots) await page.screenshot({ path: join(config.shots, `${what}.${width}.png`), fullPage: true })
    }
  }

  const w = {
    page,
    context,
    click: (id) => page.locator(`#${id}`).click().then(() => page.waitForLoadState()),
    go: (url) => page.goto(url),
    has: async (id) => (await page.locator(`#${id}`).count()) === 1,
    text: (id) => page.locator(`#${id}`).innerText(),
    at: () => page.url(),
    me: async (origin) => {
      const res = await context.request.get(origin + '/me')
      return res.status() === 200 ? res.json() : { status: res.status() }
    },
    // look judges the page that is shown, and keeps pictures of it. A page in one language only, or one that can't be asked for again, is looked at as it is; with no
    // languages only its form is.
    async look(what, languages = ['zh', 'en']) {
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      check(`${name}: ${what} fits 390 px`, sideways <= 0, sideways)
      const ids = await page.evaluate(() => [...document.querySelectorAll('[id]')].map((e) => e.id))
      equal(`${name}: ${what} has each id once`, ids.filter((id, i) => ids.indexOf(id) !== i), [])
      if (!javaScriptEnabled || languages.length === 0) return
      if (languages.length < 2) {
        const tag = languages[0]
        await accessible(`${what} in ${tag}`)
        return picture(`${what}.${tag}`)
      }
      const here = page.url()
      for (const language of languages) {
        const tag = await inLanguage(here, language)
        check(`${name}: ${what} in ${language}`, tag.startsWith(language), tag)
        await accessible(`${what} in ${language}`)
        await picture(`${what}.${language}`)
      }
      await inLanguage(here, o.lang ?? 'zh')
    },
    async end() {
      equal(`${name}: nothing from elsewhere, no error`, wrong, [])
      await context.close()
    },
  }
  return w
}
