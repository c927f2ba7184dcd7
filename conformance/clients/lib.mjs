// What the scripts share: they talk with the test in lines of JSON. A line {"check": name, "ok": bool, "got": ...} is a result, {"do": ...} asks the test
// for something that only it can do (play the person at the browser, revoke a licence), and the answer comes as one line on standard input.
import { createInterface } from 'node:readline'

export const config = JSON.parse(process.env.HUFU_TEST)

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')

export function check(name, ok, got) {
  say({ check: name, ok: !!ok, got: ok ? undefined : got })
}

export function equal(name, got, want) {
  check(name, JSON.stringify(got) === JSON.stringify(want), { got, want })
}

// refused checks that something doesn't work, and why: the negative twin of a step that did.
export async function refused(name, pattern, fn) {
  try {
    const got = await fn()
    check(name, false, { accepted: got })
  } catch (e) {
    const text = [e?.error, e?.code, e?.message, JSON.stringify(e?.cause ?? ''), JSON.stringify(e?.cause?.cause ?? ''), JSON.stringify(e?.errorResponse ?? e?.response ?? '')].join(' ')
    check(name, pattern.test(text), text)
  }
}

// ask lets the test do something and returns what it answers.
export async function ask(request) {
  say({ do: request })
  const { value, done } = await lines.next()
  if (done) throw new Error('the test has gone')
  return JSON.parse(value)
}

export async function main(run) {
  try {
    await run()
    say({ done: true })
    process.exit(0)
  } catch (e) {
    say({ fatal: `${e?.stack ?? e}\n${JSON.stringify(e?.cause ?? null)} ${JSON.stringify(e?.response ?? e?.errorResponse ?? null)}` })
    process.exit(1)
  }
}
