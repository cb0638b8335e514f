// The language of sign-in scripts, as a script finds it in the guest.
//
// A run is a function of what is given: facts about the login, and a journal of everything that was answered so far. A
// question is answered from the journal; at the first one without an answer the run ends, and begins anew from the top
// when there is one. So nothing here waits, and nothing here happens: a run only says what is to happen.
//
// The guest evaluates this file once and then takes __begin, __main, __next and __rejected away from the script.
(function (global) {
  'use strict';

  // ---- What this file stands on -----------------------------------------------------------------------------------
  // A script may change every built-in, in its own run only. What runs after the script began must not notice: it uses
  // these copies, no method of a prototype, no iterator (for…of, spread, array patterns) and no inherited property.
  const { __halt: halt, __log: log, __compile: compile, __encode: encode, __own: own, __define: define } = global;
  const { __promiseState: promiseState, __promiseResult: promiseResult } = global;
  for (const name of ['halt', 'log', 'compile', 'encode', 'own', 'define', 'promiseState', 'promiseResult']) {
    delete global['__' + name];
  }
  delete Error.prepareStackTrace; // it would hand our own functions to a script
  const { parse, stringify } = JSON;
  const { apply, construct, get: reflectGet, ownKeys, getOwnPropertyDescriptor: reflectOwn } = Reflect;
  const { defineProperty, hasOwn, keys, setPrototypeOf } = Object;
  const { isArray } = Array;
  const { isInteger } = Number;
  const { imul } = Math;
  const NativeDate = Date, NativeError = Error, NativeNumber = Number, NativePromise = Promise, NativeProxy = Proxy;
  const NativeString = String, NativeTypeError = TypeError, NativeWeakMap = WeakMap;
  const { fromCodePoint } = String;
  const method = (prototype, name) => {
    const native = prototype[name];
    return (self, first, second) => apply(native, self, [first, second]);
  };
  const indexOf = method(String.prototype, 'indexOf');
  const lower = method(String.prototype, 'toLowerCase');
  const slice = method(String.prototype, 'slice');
  const split = method(String.prototype, 'split');
  const remember = method(WeakMap.prototype, 'set');
  const recall = method(WeakMap.prototype, 'get');
  const dateText = method(Date.prototype, 'toString');

  const list = () => setPrototypeOf([], null); // without a prototype, so that no inherited setter sees what is added
  const add = (items, item) => { items[items.length] = item; };
  const isObject = (value) => value !== null && typeof value === 'object';
  const isFunction = (value) => typeof value === 'function';
  const textOf = (value) => (value === null || value === undefined ? null : NativeString(value));
  const mistake = (message) => new NativeTypeError(message);

  // What a script hands over, as plain data: the run's own toJSON methods have their say here and nowhere else.
  const plain = (value) => {
    if (value === undefined || value === null) return null;
    const text = stringify(value);
    return text === undefined ? null : parse(text);
  };

  // ---- The run ----------------------------------------------------------------------------------------------------
  const MAXIMUM_OPERATIONS = 100, MAXIMUM_HTTP = 20, MAXIMUM_EFFECTS = 100;
  let given; // facts, journal, lenient
  let now, chance; // milliseconds; the state of Math.random
  let used, calls; // answers taken from the journal; how many of them were of HTTP
  let taken; // lenient: the places of those answers in the journal
  let effects, answersByKey;
  let waiting, fresh; // operations to come; those that were registered since the last one ended
  let watched; // promises of async callbacks: they have to be settled in the end, and their errors count
  let rejected; // promises that failed without anybody to handle it: a forgotten await must not lose an error
  let unseen; // results of steps whose `ok` nobody looked at
  let users, context, request;
  let firstUser, subjectStep, attributeStep, selectedAcr, lastStepFailed;

  const taking = () => (given.lenient ? { taken } : null);
  const finish = (status, more) => halt({ status, used, effects, ...taking(), ...more });
  const limited = (limit, message) => finish('limit', { limit, message });
  const refuse = (kind, reason, more) => finish('refused', { kind, reason, ...more });
  const crash = (error) => {
    let message = 'unknown error', stack = '';
    try { message = NativeString(error); } catch { /* an error that hides its own message */ }
    try { if (isObject(error) && typeof error.stack === 'string') stack = error.stack; } catch { /* or its stack */ }
    finish('failed', { message: slice(message, 0, 2000), stack: slice(stack, 0, 4000) });
  };

  // ---- Secrets: a script holds a name in a private frame (see SECRET in shapes.py); the server knows the text --
  const SECRET_BEGIN = '\uE000', SECRET_END = '\uE001';
  const withoutSecrets = (text) => {
    if (indexOf(text, SECRET_BEGIN) >= 0 || indexOf(text, SECRET_END) >= 0) {
      throw mistake('a secret may only be used in headers or authConfig of an HTTP call');
    }
  };

  // ---- Operations: what the server has to answer --------------------------------------------------------------------
  const operation = (kind, named, keyed) => {
    const text = encode(named);
    if (kind === 'http') withoutSecrets(encode([named.url, named.body])); else withoutSecrets(text);
    return { __proto__: null, kind, arguments: named, key: kind + ':' + (keyed ? encode(keyed) : text) };
  };
  // The journal's answer to an operation; undefined when there is none yet.
  const recorded = (asked) => {
    let entry;
    if (given.lenient) {
      const entries = answersByKey[asked.key];
      if (!entries || entries.next >= entries.length) return undefined;
      add(taken, entries.places[entries.next]);
      entry = entries[entries.next++];
    } else {
      if (used >= given.journal.length) return undefined;
      entry = given.journal[used];
      if (own(entry, 'key') !== asked.key) finish('diverged', { asked: asked.key, recorded: own(entry, 'key') });
    }
    used++;
    if (asked.kind === 'http') calls++;
    if (own(entry, 'at') > now) now = own(entry, 'at');
    return { __proto__: null, value: own(entry, 'value') };
  };
  // Answers to all of these operations, or the end of this run.
  const answers = (operations) => {
    const found = list(), missing = list();
    for (let i = 0; i < operations.length; i++) {
      const answer = recorded(operations[i]);
      if (answer) {
        add(found, answer.value);
      } else {
        const { kind, key, arguments: named } = operations[i];
        add(missing, { __proto__: null, kind, key, arguments: named });
      }
    }
    if (!missing.length) return found;
    if (used + missing.length > MAXIMUM_OPERATIONS) {
      limited('operations', 'more than 100 steps and questions in one login');
    }
    if (missing[0].kind === 'http' && calls + missing.length > MAXIMUM_HTTP) {
      limited('http', 'more than 20 HTTP calls in one login');
    }
    return finish('asked', { operations: missing });
  };
  const question = (kind, named) => {
    const operations = list();
    add(operations, operation(kind, named));
    return answers(operations)[0];
  };
  const effect = (kind, named) => {
    if (effects.length >= MAXIMUM_EFFECTS) limited('effects', 'more than 100 effects in one login');
    withoutSecrets(encode(named));
    add(effects, { kind, ...named });
  };

  // ---- Time and chance ------------------------------------------------------------------------------------------------
  // The clock stands at the last answer, so that a replay sees the same time.
  const FrozenDate = new NativeProxy(NativeDate, {
    __proto__: null,
    construct: (target, values, made) =>
      construct(NativeDate, values.length ? values : [now], made === FrozenDate ? NativeDate : made),
    apply: () => dateText(new NativeDate(now)),
  });
  NativeDate.now = () => now;
  NativeDate.prototype.constructor = FrozenDate;
  const random = () => { // mulberry32, seeded by the flow
    chance = (chance + 0x6d2b79f5) | 0;
    let t = imul(chance ^ (chance >>> 15), 1 | chance);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  Math.random = random;

  // ---- Users --------------------------------------------------------------------------------------------------------
  const identities = new NativeWeakMap(); // our object of a user => the server's id of that user
  const idOf = (user, place) => {
    const id = isObject(user) ? recall(identities, user) : undefined;
    if (id === undefined) {
      throw mistake(place + ': not a user; context.currentKnownSubject is null until a step has identified somebody');
    }
    return id;
  };
  // Claims by URI, as a proxy of those that are known. The first read asks for all of them; writes are effects, and are
  // read back. `this` is the handler, which says whose claims they are.
  const CLAIMS = {
    __proto__: null,
    get(claims, name) {
      if (typeof name === 'string' && !hasOwn(claims, name) && name !== 'toJSON') load(this, claims);
      return reflectGet(claims, name);
    },
    has(claims, name) { load(this, claims); return hasOwn(claims, name); },
    ownKeys(claims) { load(this, claims); return ownKeys(claims); },
    getOwnPropertyDescriptor(claims, name) { load(this, claims); return reflectOwn(claims, name); },
    set(claims, name, value) { return write(this, claims, name, value); },
    defineProperty(claims, name, descriptor) { return write(this, claims, name, descriptor.value); },
    deleteProperty(claims, name) { return write(this, claims, name, ''); },
  };
  const load = (of, claims) => {
    if (of.loaded) return;
    of.loaded = true;
    const stored = question(of.question, { user: of.id });
    const names = isObject(stored) ? keys(stored) : [];
    for (let i = 0; i < names.length; i++) {
      if (!hasOwn(claims, names[i])) define(claims, names[i], stored[names[i]]);
    }
  };
  const write = (of, claims, name, value) => {
    if (typeof name !== 'string') return false;
    const text = textOf(value) ?? '';
    effect(of.effect, { user: of.id, claim: name, value: text }); // which may refuse
    define(claims, name, text);
    return true;
  };
  const claimsOf = (id, question, effect) =>
    new NativeProxy({}, { __proto__: CLAIMS, id, question, effect, loaded: false });
  const userOf = (identity) => {
    if (!isObject(identity)) return null;
    const id = NativeString(own(identity, 'id'));
    if (users[id]) return users[id];
    const username = own(identity, 'username') ?? null;
    const user = {
      uniqueId: id,
      username,
      identifier: own(identity, 'identifier') ?? username,
      userStoreDomain: own(identity, 'domain') ?? null,
      tenantDomain: own(identity, 'tenant') ?? null,
      localClaims: claimsOf(id, 'claims', 'claim'),
      remoteClaims: claimsOf(id, 'remoteClaims', 'remote_claim'),
      claims: claimsOf(id, 'sessionClaims', 'session_claim'),
    };
    defineProperty(user, 'roles', { __proto__: null, get: () => question('roles', { user: id }) });
    remember(identities, user, id);
    return (users[id] = user);
  };
  const usersOf = (found) => {
    const result = [];
    for (let i = 0; isArray(found) && i < found.length; i++) define(result, i, userOf(found[i]));
    return result;
  };
  const knownUser = (place) => idOf(firstUser, place);

  // ---- The request, as the browser sent it last ---------------------------------------------------------------------
  const nameOf = (headers, name) => {
    const lowered = typeof name === 'string' ? lower(name) : name;
    return hasOwn(headers, lowered) ? lowered : name;
  };
  const HEADERS = { // in any spelling
    __proto__: null,
    get: (headers, name) => reflectGet(headers, nameOf(headers, name)),
    has: (headers, name) => typeof name === 'string' && hasOwn(headers, lower(name)),
  };
  const seen = (raw) => {
    if (!isObject(raw)) return;
    const headers = new NativeProxy(own(raw, 'headers') ?? {}, HEADERS);
    request = { ip: own(raw, 'ip') ?? null, headers, params: own(raw, 'params') ?? {}, cookies: own(raw, 'cookies') ?? {} };
    context.request = request;
  };

  // ---- The response -------------------------------------------------------------------------------------------------
  const oneLine = (value, what) => {
    const text = textOf(value) ?? '';
    for (let i = 0; i < text.length; i++) { // compared as texts: a method of String costs ten times as much
      if (text[i] < ' ' || text[i] === '\x7f') throw mistake(what + ' may not hold line breaks or control characters');
    }
    return text;
  };
  const writeHeader = (headers, name, value) => {
    const text = oneLine(value, 'a header'), sent = oneLine(name, 'the name of a header');
    effect('header', { name: sent, value: text });
    define(headers, sent, text);
    return true;
  };
  const SENT_HEADERS = {
    __proto__: null,
    set: writeHeader,
    defineProperty: (headers, name, descriptor) => writeHeader(headers, name, descriptor.value),
  };
  const responseOf = () => ({ headers: new NativeProxy({}, SENT_HEADERS) });

  // ---- The context of the login -------------------------------------------------------------------------------------
  const optionsOf = (offered) => {
    const options = [];
    for (let i = 0; isArray(offered) && i < offered.length; i++) {
      define(options, i, isObject(offered[i]) ? offered[i] : { idp: 'LOCAL', authenticator: offered[i] });
    }
    return options;
  };
  const contextOf = (facts) => {
    const steps = {}, configured = keys(facts.steps);
    for (let i = 0; i < configured.length; i++) {
      define(steps, configured[i], { subject: null, idp: null, authenticator: null, options: optionsOf(facts.steps[configured[i]]) });
    }
    const made = {
      steps,
      request: null,
      response: responseOf(),
      serviceProviderName: facts.application,
      tenantDomain: facts.tenant,
      currentKnownSubject: null,
      lastAuthenticatedUser: null,
      lastLoginFailedUser: null,
      currentStep: null,
      requestedAcr: facts.requested_acr,
      requestedScopes: facts.scopes,
      authorizationDetails: facts.authorization_details,
    };
    defineProperty(made, 'selectedAcr', {
      __proto__: null,
      enumerable: true,
      get: () => selectedAcr,
      set: (value) => { const text = textOf(value); effect('acr', { value: text }); selectedAcr = text; },
    });
    return made;
  };

  // ---- The queue: what a callback registers goes in front of what was waiting already -------------------------------
  const register = (asked, settle) => { asked.settle = settle; add(fresh, asked); };
  const watch = (result) => { if (promiseState(result) !== undefined) add(watched, result); };
  const call = (callback, data) => watch(apply(callback, undefined, [context, data]));
  const handler = (callbacks, name) => {
    const callback = isObject(callbacks) ? callbacks[name] : undefined;
    return isFunction(callback) ? callback : null;
  };
  const isCallbacks = (value) =>
    handler(value, 'onSuccess') || handler(value, 'onFail') || handler(value, 'onTimeout') || handler(value, 'onUserAbort');
  const denied = (reason, message) => refuse('oauth_error', reason, { code: 'access_denied', message, uri: null });

  const stepNumber = (value) => {
    const number = NativeNumber(isObject(value) ? value.id : value);
    if (!isInteger(number) || number < 1) throw mistake('a step is named by its number, 1 or more');
    if (!hasOwn(given.facts.steps, NativeString(number))) throw mistake('the application has no step ' + number);
    return number;
  };
  const stepOptions = (value) => {
    const options = plain(value);
    if (options === null) return {};
    if (!isObject(options) || isArray(options)) throw mistake('the options of a step are an object');
    const wanted = own(options, 'authenticationOptions');
    if (wanted !== undefined && !isArray(wanted)) throw mistake('authenticationOptions is a list');
    for (let i = 0; wanted && i < wanted.length; i++) {
      if (typeof wanted[i] === 'string') wanted[i] = { authenticator: wanted[i] };
    }
    return options;
  };
  const marks = (options, name) => {
    const value = own(own(options, 'stepOptions'), name);
    return value === 'true' || value === true;
  };
  const stepEnded = (number, options, answer) => {
    const ok = own(answer, 'ok') === true, user = userOf(own(answer, 'subject'));
    const before = own(context.steps, NativeString(number)) ?? null;
    const offered = own(answer, 'options'), options_ = isArray(offered) ? optionsOf(offered) : own(before, 'options') ?? [];
    context.currentStep = number;
    lastStepFailed = !ok;
    if (!ok) {
      if (user) context.lastLoginFailedUser = user;
      define(context.steps, number, { subject: null, idp: null, authenticator: null, ...before, options: options_ });
      return false;
    }
    define(context.steps, number, {
      subject: user ?? firstUser,
      idp: own(answer, 'idp') ?? 'LOCAL',
      authenticator: own(answer, 'authenticator') ?? null,
      options: options_,
    });
    if (user) {
      context.lastAuthenticatedUser = user;
      if (!firstUser || marks(options, 'markAsSubjectIdentifierStep')) {
        firstUser = user;
        subjectStep = number;
        context.currentKnownSubject = user;
      }
      if (attributeStep === null || marks(options, 'markAsSubjectAttributeStep')) attributeStep = number;
    }
    return true;
  };
  const askStep = (step, options, retry, settle) => {
    const number = stepNumber(step), wanted = stepOptions(options);
    register(operation('step', { step: number, options: wanted, retry }), (answer) => {
      seen(own(answer, 'request'));
      settle(stepEnded(number, wanted, answer), answer);
    });
  };
  const executeStep = (step, second, third) => {
    const callbacks = third ?? (isCallbacks(second) ? second : null);
    const onSuccess = handler(callbacks, 'onSuccess'), onFail = handler(callbacks, 'onFail');
    const onUserAbort = handler(callbacks, 'onUserAbort');
    askStep(step, isCallbacks(second) ? null : second, !onFail, (ok, answer) => {
      const data = own(answer, 'data') ?? null, aborted = own(answer, 'aborted') === true;
      const callback = ok ? onSuccess : (aborted && onUserAbort) || onFail;
      if (callback) call(callback, data);
      else if (!ok) denied(aborted ? 'aborted' : 'step_failed', 'The sign-in was not completed.');
    });
  };
  const promptIdentifierForStep = (step, second, third) => { // only the identifier is asked for, by the same step
    const options = isCallbacks(second) ? {} : stepOptions(second), params = own(options, 'authenticatorParams') ?? {};
    const common = { ...own(params, 'common'), inputType: 'idf' };
    executeStep(step, { ...options, authenticatorParams: { ...params, common } }, isCallbacks(second) ? second : third);
  };
  const askPrompt = (template, data, settle) => {
    if (typeof template !== 'string') throw mistake('prompt: the first argument is the name of a page');
    register(operation('prompt', { template, data: plain(data) ?? {} }), (answer) => {
      seen(own(answer, 'request'));
      settle(own(answer, 'ok') === true, answer);
    });
  };
  const prompt = (template, data, callbacks) => {
    const chosen = isCallbacks(data) ? data : callbacks;
    askPrompt(template, isCallbacks(data) ? null : data, (ok, answer) => {
      const callback = handler(chosen, ok ? 'onSuccess' : 'onFail');
      if (callback) call(callback, own(answer, 'data') ?? null);
      else if (!ok) denied('prompt_failed', 'The sign-in was not completed.');
    });
  };

  // ---- HTTP: calls that wait side by side are asked together, so that they run at the same time -----------------------
  const AUTH_TYPES = { __proto__: null, basic: 'basic', basicauth: 'basic', bearer: 'bearer', bearertoken: 'bearer', apikey: 'apikey', clientcredential: 'clientcredential' };
  const authOf = (value) => {
    const auth = plain(value);
    if (auth === null) return null;
    const type = AUTH_TYPES[lower(NativeString(own(auth, 'type')))];
    if (!type) throw mistake('authConfig: type is one of basic, bearer, apikey, clientcredential');
    return { type, properties: own(auth, 'properties') ?? {} };
  };
  const isAuth = (value) => isObject(value) && hasOwn(value, 'type') && hasOwn(value, 'properties');
  const askHttp = (verb, url, body, headers, auth, settle) => {
    if (typeof url !== 'string') throw mistake('an HTTP call needs its URL as text');
    const sent = plain(headers) ?? {}, names = keys(sent);
    for (let i = 0; i < names.length; i++) {
      oneLine(names[i], 'the name of a header');
      define(sent, names[i], oneLine(isObject(sent[names[i]]) ? encode(sent[names[i]]) : sent[names[i]], 'a header'));
    }
    register(operation('http', { method: verb, url, body: plain(body), headers: sent, auth: authOf(auth) }), settle);
  };
  const sortHttp = (rest) => { // [headers][, authConfig], handlers
    const sorted = { __proto__: null, headers: null, auth: null, callbacks: null };
    for (let i = 0; i < rest.length; i++) {
      if (isCallbacks(rest[i])) sorted.callbacks = rest[i];
      else if (isAuth(rest[i])) sorted.auth = rest[i];
      else if (isObject(rest[i])) sorted.headers = rest[i];
    }
    return sorted;
  };
  // Without any handler a call is fire and forget; one that handles only success must not pass when the call fails.
  const httpEnded = (callbacks) => (answer) => {
    const ok = own(answer, 'ok') === true;
    const callback = ok ? handler(callbacks, 'onSuccess')
      : (own(answer, 'timeout') === true && handler(callbacks, 'onTimeout')) || handler(callbacks, 'onFail');
    if (callback) call(callback, own(answer, 'data') ?? null);
    else if (!ok && callbacks) denied('http_failed', 'The sign-in could not be completed.');
  };
  const httpGet = (url, ...rest) => {
    const { headers, auth, callbacks } = sortHttp(rest);
    askHttp('GET', url, null, headers, auth, httpEnded(callbacks));
  };
  const httpPost = (url, ...rest) => {
    const withBody = rest.length > 0 && !isCallbacks(rest[0]);
    const others = list();
    for (let i = withBody ? 1 : 0; i < rest.length; i++) add(others, rest[i]);
    const { headers, auth, callbacks } = sortHttp(others);
    askHttp('POST', url, withBody ? rest[0] : null, headers, auth, httpEnded(callbacks));
  };
  // Functions that have no answer here go to onFail, as if the service could not be reached.
  const unreachable = (result) => (...values) => {
    for (let i = 0; i < values.length; i++) {
      const onFail = handler(values[i], 'onFail');
      if (onFail) register({ __proto__: null, kind: 'local' }, () => call(onFail, null));
      else if (isCallbacks(values[i])) register({ __proto__: null, kind: 'local' }, () => denied('http_failed', 'The sign-in could not be completed.'));
    }
    return result;
  };

  // ---- Questions ----------------------------------------------------------------------------------------------------
  const names = (value) => {
    const asked = isArray(value) ? plain(value) : [value];
    const texts = [];
    for (let i = 0; i < asked.length; i++) define(texts, i, NativeString(asked[i]));
    return texts;
  };
  const yes = (answer) => answer === true;
  const aboutUser = (kind) => (user, roles) => yes(question(kind, { user: idOf(user, kind), roles: names(roles) }));
  const aboutKnown = (kind) => (ignored, roles) => yes(question(kind, { user: knownUser(kind), roles: names(roles) }));
  const aboutLogin = (kind, result) => (ignored, values) => result(question(kind, { values: plain(values) ?? {} }));
  const data = (answer) => answer ?? null;
  const items = (answer) => (isArray(answer) ? answer : []);

  const questions = {
    hasRole: (user, role) => yes(question('hasAnyOfTheRoles', { user: idOf(user, 'hasRole'), roles: names(role) })),
    hasAnyOfTheRoles: aboutUser('hasAnyOfTheRoles'),
    hasAnyOfTheRolesV2: aboutKnown('hasAnyOfTheRolesV2'),
    isAnyOfTheRolesAssignedToUser: aboutUser('isAnyOfTheRolesAssignedToUser'),
    isMemberOfAnyOfGroups: (user, groups) =>
      yes(question('isMemberOfAnyOfGroups', { user: idOf(user, 'isMemberOfAnyOfGroups'), groups: names(groups) })),
    assignUserRoles: aboutUser('assignUserRoles'),
    assignUserRolesV2: aboutKnown('assignUserRolesV2'),
    removeUserRoles: aboutUser('removeUserRoles'),
    removeUserRolesV2: aboutKnown('removeUserRolesV2'),
    getUserSessions: (user) => items(question('getUserSessions', { user: idOf(user, 'getUserSessions') })),
    terminateUserSession: (user, session) =>
      yes(question('terminateUserSession', { user: idOf(user, 'terminateUserSession'), session: textOf(session) })),
    checkSessionExistence: (step) => yes(question('checkSessionExistence', { step: stepNumber(step) })),
    isWithinSessionLimit: aboutLogin('isWithinSessionLimit', yes),
    getSessionData: aboutLogin('getSessionData', data),
    killSession: aboutLogin('killSession', yes),
    getAuthenticatedApplications: () => items(question('getAuthenticatedApplications', {})),
    getUniqueUserWithClaimValues: (claims, ignored, profile) =>
      userOf(question('getUniqueUserWithClaimValues', { claims: plain(claims) ?? {}, profile: textOf(profile) })),
    getUsersWithClaimValues: (claims, ignored, profile) =>
      usersOf(question('getUsersWithClaimValues', { claims: plain(claims) ?? {}, profile: textOf(profile) })),
    getAssociatedLocalUser: (user) =>
      userOf(question('getAssociatedLocalUser', { user: idOf(user, 'getAssociatedLocalUser') })),
    doAssociationWithLocalUser: (user, username, tenant, domain) =>
      yes(question('doAssociationWithLocalUser', {
        user: idOf(user, 'doAssociationWithLocalUser'),
        username: textOf(username),
        tenant: textOf(tenant),
        domain: textOf(domain),
      })),
    removeAssociatedLocalUser: (user) =>
      yes(question('removeAssociatedLocalUser', { user: idOf(user, 'removeAssociatedLocalUser') })),
    resolveMultiAttributeLoginIdentifier: (identifier, tenant) =>
      data(question('resolveMultiAttributeLoginIdentifier', { identifier: textOf(identifier), tenant: textOf(tenant) })),
    getNetwork: () => question('getNetwork', { ip: textOf(request.ip) }) ?? {},
    isNewDevice: () => yes(question('isNewDevice', { user: knownUser('isNewDevice') })),
    getFailedAttempts: (user) => question('getFailedAttempts', { user: idOf(user, 'getFailedAttempts') }) ?? 0,
    getTimeSinceLastLogin: (user) => data(question('getTimeSinceLastLogin', { user: idOf(user, 'getTimeSinceLastLogin') })),
    getLoginVelocity: (user) =>
      data(question('getLoginVelocity', { user: idOf(user, 'getLoginVelocity'), ip: textOf(request.ip) })),
    getLocalTime: (zone) => question('getLocalTime', { zone: NativeString(zone), at: now }),
  };
  // The password is an argument, and no part of the key: keys are compared, logged and kept.
  const updateUserPassword = (user, password, third, fourth) => {
    const callbacks = isCallbacks(third) ? third : isCallbacks(fourth) ? fourth : null;
    const named = { user: idOf(user, 'updateUserPassword'), password: textOf(password), skipValidation: third === true };
    const asked = operation('updateUserPassword', named, { ...named, password: null });
    if (callbacks) {
      register(asked, (answer) => {
        const callback = handler(callbacks, yes(answer) ? 'onSuccess' : 'onFail');
        if (callback) call(callback, null);
      });
      return undefined;
    }
    const operations = list();
    add(operations, asked);
    return yes(answers(operations)[0]);
  };

  // ---- Effects ------------------------------------------------------------------------------------------------------
  const sendEmail = (user, template, placeholders) => {
    effect('email', { user: idOf(user, 'sendEmail'), template: NativeString(template), placeholders: plain(placeholders) ?? {} });
    return true;
  };
  const setCookie = (response, name, value, options) => {
    const given_ = plain(options) ?? {}, all = keys(given_);
    for (let i = 0; i < all.length; i++) oneLine(given_[all[i]], 'an option of a cookie');
    effect('cookie', { name: oneLine(name, 'the name of a cookie'), value: oneLine(value, 'a cookie'), options: given_ });
  };
  const getCookieValue = (from, name, options) => {
    const cookie = own(isObject(from) ? from.cookies : undefined, NativeString(name));
    const value = isObject(cookie) ? own(cookie, 'value') : cookie;
    if (value === null || value === undefined) return null;
    const decrypt = own(options, 'decrypt') === true, validateSignature = own(options, 'validateSignature') === true;
    if (!decrypt && !validateSignature) return value;
    return data(question('getCookieValue', { name: NativeString(name), value: textOf(value), decrypt, validateSignature }));
  };

  // ---- Ends: nothing of the script runs after them ------------------------------------------------------------------
  const fail = (reason) => {
    const values = typeof reason === 'string' ? { errorCode: reason } : plain(reason);
    refuse('oauth_error', 'script', {
      code: textOf(own(values, 'errorCode')) ?? 'access_denied',
      message: textOf(own(values, 'errorMessage')),
      uri: textOf(own(values, 'errorURI')),
    });
  };
  const sendError = (url, parameters) => {
    refuse('error_page', 'script', { url: textOf(url), parameters: plain(parameters) ?? {} });
  };
  const forbidden = (name) => () => { throw mistake(name + ' is not available; end the login with fail() or sendError()'); };

  // ---- Pure functions -----------------------------------------------------------------------------------------------
  const getMaskedValue = (value) => {
    const text = textOf(value) ?? '';
    let masked = '';
    for (let i = 0; i < text.length; i++) masked += text.length > 2 && (i === 0 || i === text.length - 1) ? text[i] : '*';
    return masked;
  };
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const decoded = (text) => { // base64url of UTF-8
    const bytes = list();
    let bits = 0, width = 0;
    for (let i = 0; i < text.length && text[i] !== '='; i++) {
      const value = indexOf(ALPHABET, text[i] === '+' ? '-' : text[i] === '/' ? '_' : text[i]);
      if (value < 0) throw mistake('getValueFromDecodedAssertion: not a JWT');
      bits = ((bits << 6) | value) & 0xffff;
      width += 6;
      if (width >= 8) { width -= 8; add(bytes, (bits >> width) & 0xff); }
    }
    let result = '';
    for (let i = 0; i < bytes.length; i++) {
      const first = bytes[i], more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
      let code = more === 0 ? first : first & (0x3f >> more);
      for (let j = 0; j < more; j++) code = (code << 6) | (bytes[++i] & 0x3f);
      result += fromCodePoint(code > 0x10ffff ? 0xfffd : code);
    }
    return result;
  };
  // Decodes, and verifies nothing: the assertion must come from a step that has verified it.
  const getValueFromDecodedAssertion = (assertion, parameter, inPayload) => {
    const parts = split(NativeString(assertion), '.');
    if (parts.length < 2) throw mistake('getValueFromDecodedAssertion: not a JWT');
    return own(parse(decoded(parts[inPayload === false ? 0 : 1])), NativeString(parameter)) ?? null;
  };
  const filterAuthenticators = (...values) => { // (options, excluded), and in older scripts (tenantDomain, options, excluded)
    const first = isArray(values[0]) ? 0 : 1, options = values[first], excluded = values[first + 1], kept = [];
    for (let i = 0; isArray(options) && i < options.length; i++) {
      if (options[i].authenticator !== excluded) define(kept, kept.length, options[i]);
    }
    return kept;
  };
  // The list runs from the weakest to the strongest; the strongest of those that were asked for.
  const selectAcrFrom = (ignored, supported) => {
    const requested = given.facts.requested_acr;
    for (let i = isArray(supported) ? supported.length - 1 : -1; i >= 0; i--) {
      for (let j = 0; j < requested.length; j++) if (requested[j] === supported[i]) return supported[i];
    }
    return null;
  };

  // ---- Log ----------------------------------------------------------------------------------------------------------
  const shown = (value) => {
    if (typeof value === 'string') return value;
    try { if (isObject(value) && !(value instanceof NativeError)) return stringify(value) ?? 'undefined'; } catch { /* a cycle */ }
    try { return NativeString(value); } catch { return '[object]'; }
  };
  let logging = false; // what is only logged was not looked at
  const logger = (level) => (...values) => {
    let text = '';
    const before = logging; // a toJSON may log, too
    logging = true;
    for (let i = 0; i < values.length; i++) text += (i ? ' ' : '') + shown(values[i]);
    logging = before;
    log(level + ' ' + text); // which keeps 500 characters
  };
  const Log = { log: logger('info'), debug: logger('debug'), info: logger('info'), warn: logger('warn'), error: logger('error') };

  // ---- Libraries, as in CommonJS ------------------------------------------------------------------------------------
  let modules;
  const require = (name) => {
    const file = NativeString(name), libraries = given.libraries;
    if (modules[file]) return modules[file].exports;
    if (!hasOwn(libraries, file)) throw mistake("there is no script library '" + file + "'");
    const module = (modules[file] = { exports: {} });
    const body = compile('(function (exports, require, module) {' + libraries[file] + '\n})', file);
    apply(body, module.exports, [module.exports, require, module]);
    return module.exports;
  };

  // ---- The modern form: async function onLogin(context) --------------------------------------------------------------
  const resultOf = (ok, values) => { // of a step or page; a failure nobody looked at does not pass
    const result = { ...values };
    const seenBy = { __proto__: null, looked: ok };
    if (!ok) add(unseen, seenBy);
    defineProperty(result, 'ok', { __proto__: null, enumerable: true, get: () => { seenBy.looked ||= !logging; return ok; } });
    return result;
  };
  const promised = (start) => new NativePromise((resolve) => start(resolve));
  const step = (number, options) => promised((resolve) => askStep(number, options, false, (ok, answer) => {
    lastStepFailed = false; // told to the script, which has to look at it
    resolve(resultOf(ok, {
      user: ok ? userOf(own(answer, 'subject')) ?? firstUser : null,
      authenticator: own(answer, 'authenticator') ?? null,
      idp: own(answer, 'idp') ?? null,
      aborted: own(answer, 'aborted') === true,
      data: own(answer, 'data') ?? null,
      request,
    }));
  }));
  const ask = (template, values) => promised((resolve) => askPrompt(template, values, (ok, answer) => {
    resolve(resultOf(ok, { params: request.params, data: own(answer, 'data') ?? null }));
  }));
  const httpResult = (resolve) => (answer) => resolve({
    ok: own(answer, 'ok') === true,
    timeout: own(answer, 'timeout') === true,
    status: own(answer, 'status') ?? null,
    data: own(answer, 'data') ?? null,
  });
  const http = {
    get: (url, options) => promised((resolve) =>
      askHttp('GET', url, null, own(options, 'headers'), own(options, 'auth'), httpResult(resolve))),
    post: (url, body, options) => promised((resolve) =>
      askHttp('POST', url, body, own(options, 'headers'), own(options, 'auth'), httpResult(resolve))),
  };

  // ---- What a script finds ------------------------------------------------------------------------------------------
  const secretsOf = (named) => {
    const known = { __proto__: null };
    for (let i = 0; i < named.length; i++) known[named[i]] = SECRET_BEGIN + 'secret:' + named[i] + SECRET_END;
    return new NativeProxy({}, {
      __proto__: null,
      get: (target, name) => {
        if (typeof name !== 'string' || name === 'toJSON') return undefined;
        if (!known[name]) throw mistake("there is no secret '" + name + "'");
        return known[name];
      },
      has: (target, name) => hasOwn(known, name),
    });
  };
  const offer = (name, value) =>
    defineProperty(global, name, { __proto__: null, value, writable: true, configurable: true, enumerable: false });
  const offerAll = (values) => { for (const name of keys(values)) offer(name, values[name]); };
  offerAll(questions);
  offerAll({
    executeStep, promptIdentifierForStep, prompt, fail, sendError, httpGet, httpPost, updateUserPassword, sendEmail, setCookie,
    getCookieValue, getMaskedValue, getValueFromDecodedAssertion, filterAuthenticators, selectAcrFrom, require,
    loadLocalLibrary: require, Log, console: Log, exit: forbidden('exit'), quit: forbidden('quit'),
    callChoreo: unreachable(undefined), callElastic: unreachable(undefined), callAnalytics: unreachable(undefined),
    publishToAnalytics: unreachable(undefined), checkMicrosoftEmailVerification: unreachable(false),
    step, ask, http, deny: fail, Date: FrozenDate,
  });

  // ---- What the guest calls -----------------------------------------------------------------------------------------
  const guarded = (work) => (text) => { try { return work(text); } catch (error) { return crash(error); } };
  const begin = (text) => {
    given = parse(text);
    const { facts } = given;
    now = facts.started;
    chance = facts.chance | 0;
    used = calls = 0;
    effects = list();
    taken = list();
    waiting = list();
    fresh = list();
    unseen = list();
    rejected = list();
    watched = list();
    users = { __proto__: null };
    modules = { __proto__: null };
    firstUser = subjectStep = attributeStep = selectedAcr = null;
    lastStepFailed = false;
    answersByKey = { __proto__: null };
    for (let i = 0; given.lenient && i < given.journal.length; i++) {
      const entry = given.journal[i], entries = (answersByKey[entry.key] ??= list());
      entries.next = 0;
      add(entries.places ??= list(), i);
      add(entries, entry);
    }
    context = contextOf(facts);
    seen(facts.request);
    offer('secrets', secretsOf(facts.secrets));
  };
  // A script may declare its entry point in any way, `const` too, which makes no property of the global object.
  const entryOf = () =>
    typeof onLogin === 'function' ? onLogin : typeof onLoginRequest === 'function' ? onLoginRequest : null;
  const main = () => {
    const entry = entryOf();
    if (!entry) throw mistake('the script has no function onLoginRequest(context) or onLogin(context)');
    call(entry, undefined);
  };
  const done = () => {
    for (let i = 0; i < watched.length; i++) {
      if (promiseState(watched[i]) === 0) throw new NativeError('the script waits for something that never comes');
    }
    for (let i = 0; i < rejected.length; i++) if (!rejected[i].handled) return crash(rejected[i].reason);
    for (let i = 0; i < unseen.length; i++) {
      if (!unseen[i].looked) denied('step_failed', 'The sign-in was not completed.');
    }
    if (lastStepFailed) denied('step_failed', 'The sign-in was not completed.');
    if (subjectStep === null) denied('nobody_identified', 'Nobody was identified.');
    return finish('done', { acr: selectedAcr, subject_step: subjectStep, attribute_step: attributeStep });
  };
  // One operation, or all HTTP calls at the head of the queue. Runs again until something ends the run.
  const next = () => {
    for (let i = 0; i < watched.length; i++) {
      if (promiseState(watched[i]) === 2) return crash(promiseResult(watched[i]));
    }
    for (let i = 0; i < waiting.length; i++) add(fresh, waiting[i]);
    waiting = fresh;
    fresh = list();
    if (!waiting.length) return done();
    const batch = list(), rest = list();
    for (let i = 0; i < waiting.length; i++) {
      const sideBySide = waiting[i].kind === 'http' && waiting[0].kind === 'http' && rest.length === 0;
      add(i === 0 || sideBySide ? batch : rest, waiting[i]);
    }
    waiting = rest;
    const found = batch[0].kind === 'local' ? list() : answers(batch);
    for (let i = 0; i < batch.length; i++) batch[i].settle(found[i]);
    return undefined;
  };
  const noticeRejection = (promise, reason, handled) => {
    if (!handled) return add(rejected, { __proto__: null, promise, reason, handled: false });
    for (let i = 0; i < rejected.length; i++) if (rejected[i].promise === promise) rejected[i].handled = true;
    return undefined;
  };
  global.__begin = begin;
  global.__main = guarded(main);
  global.__next = guarded(next);
  global.__rejected = noticeRejection;
})(globalThis);
