// What a script finds: evaluated once, before the guest is frozen. The guest takes __begin, __main and __next from here.
(function (global) {
  'use strict';
  const halt = global.__halt, log = global.__log, { parse, stringify } = JSON;
  delete global.__halt;
  delete global.__log;
  delete global.__compile;

  let given, position = 0, waiting = [], fresh = [];
  const context = { steps: {}, currentKnownSubject: null, request: null };
  const answer = (status, more) => stringify({ status, used: position, ...more });

  // The next answer of the journal. Where there is none the run ends, and begins anew when there is one.
  const ask = (kind, args) => {
    const key = kind + ':' + stringify(args);
    if (position >= given.journal.length) halt(answer('need', { need: { kind, args, key } }));
    const entry = given.journal[position];
    if (entry.key !== key) halt(answer('diverged', { want: key, have: entry.key }));
    position++;
    return entry.value;
  };

  global.executeStep = (number, options, callbacks) => {
    if (callbacks === undefined && options && (options.onSuccess || options.onFail)) [options, callbacks] = [{}, options];
    fresh.push({ number, options: options || {}, callbacks: callbacks || {} });
  };
  global.fail = (parameters) => halt(answer('fail', { parameters: parameters || {} }));
  global.Log = {};
  for (const level of ['debug', 'info', 'warn', 'error'])
    global.Log[level] = (...parts) => log(level + ' ' + parts.map((part) => typeof part === 'string' ? part : stringify(part)).join(' '));

  const crashed = (error) => answer('script_error', { message: String(error), stack: String(error && error.stack) });
  const guarded = (work) => () => { try { return work(); } catch (error) { return crashed(error); } };

  global.__begin = (json) => { given = parse(json); context.request = given.request; };
  global.__main = guarded(() => { global.onLoginRequest(context); });
  global.__next = guarded(() => {
    waiting = fresh.concat(waiting);
    fresh = [];
    if (!waiting.length) return answer('done');
    const { number, options, callbacks } = waiting.shift();
    const outcome = ask('step', [number, options]);
    context.steps[number] = { subject: outcome.subject };
    if (outcome.ok) context.currentKnownSubject = outcome.subject;
    const callback = outcome.ok ? callbacks.onSuccess : callbacks.onFail;
    if (callback) callback(context);
    else if (!outcome.ok) global.fail({ errorCode: 'access_denied' });
  });
})(globalThis);
