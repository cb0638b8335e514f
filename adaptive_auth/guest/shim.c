/* The guest: QuickJS-ng behind a few calls, with nothing of the outside world.
 *
 * The module imports nothing. What the C library would ask of WASI is answered below with EBADF, and time stands still,
 * so that a run is a function of its input alone. The host starts it once, evaluates the prelude and freezes that memory;
 * each run begins from there: write the script, call `compile`, write what is given, call `run`, read `report`.
 * Everything that lasts from call to call is in memory, which the host puts back; the stack pointer is exported for it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "quickjs.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define INPUT_BYTES (512 * 1024)
#define ROOM_BYTES (4 * 1024 * 1024)
#define ANSWER_BYTES (256 * 1024)
#define ERROR_BYTES 4000
#define LOG_LINES 200
#define LOG_CHARACTERS 500
#define CHARACTER_BYTES 4

enum { RUNNING, ANSWERED, RAISED, OUT_OF_MEMORY, ANSWER_TOO_LARGE, COMPILED };

static char input[INPUT_BYTES + 2], answer[ANSWER_BYTES], log_text[LOG_LINES * (2 + LOG_CHARACTERS * CHARACTER_BYTES)];

/* At a fixed address, so that the host can read it after any trap. Five words, then where the buffers are. */
static struct {
  unsigned state, answer_length, log_lines, log_length, heap_bytes;
  char *input, *answer, *log_text;
} report = {.input = input, .answer = answer, .log_text = log_text};

static JSRuntime *runtime;
static JSContext *context;
static JSValue begin_function, main_function, next_function, rejected_function, compiled;
static size_t heap_limit;

/* --- no world ---------------------------------------------------------------------------------------------------- */
#define EBADF_OF_WASI 8
int __imported_wasi_snapshot_preview1_fd_close(int fd) { return EBADF_OF_WASI; }
int __imported_wasi_snapshot_preview1_fd_fdstat_get(int fd, int stat) { return EBADF_OF_WASI; }
int __imported_wasi_snapshot_preview1_fd_seek(int fd, long long by, int from, int at) { return EBADF_OF_WASI; }
int __imported_wasi_snapshot_preview1_fd_write(int fd, int vectors, int count, int written) { return EBADF_OF_WASI; }
int gettimeofday(struct timeval *restrict now, void *restrict zone) { return memset(now, 0, sizeof *now), 0; }
int clock_gettime(clockid_t clock, struct timespec *now) { return memset(now, 0, sizeof *now), 0; }

/* --- the end of a run, which no catch or finally of the script sees ------------------------------------------------ */
static _Noreturn void stop(int state) { report.state = state; __builtin_trap(); }

static void leave(const char *text, size_t length) {
  if (length > ANSWER_BYTES) stop(ANSWER_TOO_LARGE);
  memcpy(answer, text, length);
  report.answer_length = length;
}

/* --- the heap: a refused allocation ends the run ------------------------------------------------------------------- */
extern size_t malloc_usable_size(void *);
static size_t usable(const void *block) { return malloc_usable_size((void *)block); }
static void *counted(void *block) {
  if (!block) stop(OUT_OF_MEMORY);
  report.heap_bytes += usable(block);
  return block;
}
static size_t fitting(size_t bytes, size_t given_back) {
  if (bytes > heap_limit || report.heap_bytes - given_back > heap_limit - bytes) stop(OUT_OF_MEMORY);
  return bytes;
}
static void release(void *heap, void *block) { if (block) report.heap_bytes -= usable(block), free(block); }
static void *allocate(void *heap, size_t bytes) { return counted(malloc(fitting(bytes, 0))); }
static void *allocate_zeroed(void *heap, size_t count, size_t bytes) {
  if (bytes && count > heap_limit / bytes) stop(OUT_OF_MEMORY);
  return counted(calloc(fitting(count * bytes, 0), 1));
}
static void *resize(void *heap, void *block, size_t bytes) {
  size_t before = block ? usable(block) : 0;
  if (!bytes) return release(heap, block), NULL;
  fitting(bytes, before);
  report.heap_bytes -= before;
  return counted(realloc(block, bytes));
}
static const JSMallocFunctions heap_functions = {allocate_zeroed, allocate, release, resize, usable};

/* --- what the prelude gets, takes and deletes ---------------------------------------------------------------------- */
typedef struct { char *text; size_t length, room; } writer;

static void put(JSContext *c, writer *to, const char *bytes, size_t count) {
  if (to->room - to->length < count) {
    to->room = 2 * to->room + count;
    to->text = js_realloc(c, to->text, to->room);
  }
  memcpy(to->text + to->length, bytes, count);
  to->length += count;
}

/* Half a surrogate pair is three bytes here, of which the first is ED and the second A0 or more. */
static int put_text(JSContext *c, writer *to, JSValueConst value) {
  static const char hex[] = "0123456789abcdef", brief[] = "btn?fr";
  size_t length, plain = 0;
  const char *text = JS_ToCStringLen(c, &length, value);
  if (!text) return -1;
  put(c, to, "\"", 1);
  for (size_t i = 0; i < length; i++) {
    unsigned byte = (unsigned char)text[i], half = byte == 0xED && (unsigned char)text[i + 1] >= 0xA0;
    if (byte >= ' ' && byte != '"' && byte != '\\' && !half) continue;
    put(c, to, text + plain, i - plain);
    unsigned unit = half ? 0xD000 | (text[i + 1] & 0x3F) << 6 | (text[i + 2] & 0x3F) : byte;
    char escaped[] = {'\\', 'u', hex[unit >> 12], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};
    if (byte == '"' || byte == '\\') escaped[1] = byte;
    else if (byte >= '\b' && byte <= '\r' && byte != '\v') escaped[1] = brief[byte - '\b'];
    put(c, to, escaped, escaped[1] == 'u' ? 6 : 2);
    i += half ? 2 : 0;
    plain = i + 1;
  }
  put(c, to, text + plain, length - plain);
  put(c, to, "\"", 1);
  JS_FreeCString(c, text);
  return 1;
}

static int put_value(JSContext *c, writer *to, JSValueConst value);

static int put_items(JSContext *c, writer *to, JSValueConst list) {
  int64_t length = 0;
  if (JS_GetLength(c, list, &length)) return -1;
  put(c, to, "[", 1);
  for (int64_t i = 0; i < length; i++) {
    JSValue item = JS_GetPropertyUint32(c, list, i);
    if (i) put(c, to, ",", 1);
    int written = JS_IsException(item) ? -1 : put_value(c, to, item);
    JS_FreeValue(c, item);
    if (written < 0) return -1;
    if (!written) put(c, to, "null", 4);
  }
  put(c, to, "]", 1);
  return 1;
}

static int put_members(JSContext *c, writer *to, JSValueConst object) {
  JSPropertyEnum *names;
  uint32_t count;
  int some = 0;
  if (JS_GetOwnPropertyNames(c, &names, &count, object, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) return -1;
  put(c, to, "{", 1);
  for (uint32_t i = 0; i < count && some >= 0; i++) {
    JSValue member = JS_GetProperty(c, object, names[i].atom), name = JS_AtomToString(c, names[i].atom);
    size_t before = to->length;
    if (some) put(c, to, ",", 1);
    int written = JS_IsException(member) || JS_IsException(name) ? -1 : put_text(c, to, name);
    if (written > 0) put(c, to, ":", 1), written = put_value(c, to, member);
    JS_FreeValue(c, name), JS_FreeValue(c, member);
    if (written < 0) some = -1;
    else if (written) some = 1;
    else to->length = before;
  }
  JS_FreePropertyEnum(c, names, count);
  if (some >= 0) put(c, to, "}", 1);
  return some < 0 ? -1 : 1;
}

/* Plain data as JSON, by its own properties: JSON.stringify lets the script have a word, by toJSON and by setters of its
 * lists. 1: written; 0: what JSON has no word for; -1: an exception. */
static int put_value(JSContext *c, writer *to, JSValueConst value) {
  double number;
  if (JS_IsString(value)) return put_text(c, to, value);
  if (JS_IsNull(value)) return put(c, to, "null", 4), 1;
  if (JS_IsBool(value)) return JS_VALUE_GET_BOOL(value) ? put(c, to, "true", 4) : put(c, to, "false", 5), 1;
  if (JS_IsNumber(value)) {
    size_t length;
    if (JS_ToFloat64(c, &number, value)) return -1;
    if (!isfinite(number)) return put(c, to, "null", 4), 1;
    const char *text = JS_ToCStringLen(c, &length, value);
    if (!text) return -1;
    put(c, to, text, length);
    JS_FreeCString(c, text);
    return 1;
  }
  if (!JS_IsObject(value) || JS_IsFunction(c, value)) return 0;
  return JS_IsArray(value) ? put_items(c, to, value) : put_members(c, to, value);
}

static writer written(JSContext *c, JSValueConst value) {
  writer to = {NULL, 0, 0};
  int done = put_value(c, &to, value);
  if (!done) put(c, &to, "null", 4);
  if (done < 0) to.length = 0;
  return to;
}

static JSValue encode(JSContext *c, JSValueConst self, int count, JSValueConst *given) {
  writer to = written(c, given[0]);
  JSValue text = to.length ? JS_NewStringLen(c, to.text, to.length) : JS_EXCEPTION;
  js_free(c, to.text);
  return text;
}

static JSValue halt(JSContext *c, JSValueConst self, int count, JSValueConst *given) {
  writer to = written(c, given[0]);
  if (!to.length) return JS_EXCEPTION;
  leave(to.text, to.length);
  stop(ANSWERED);
}

static JSValue append_log(JSContext *c, JSValueConst self, int count, JSValueConst *given) {
  size_t length, cut = 0, characters = 0;
  if (report.log_lines >= LOG_LINES) return JS_UNDEFINED;
  const char *text = JS_ToCStringLen(c, &length, given[0]);
  if (!text) return JS_EXCEPTION;
  /* A byte of the form 10xxxxxx goes on with a character of UTF-8. */
  while (cut < length && (characters += (text[cut] & 0xC0) != 0x80) <= LOG_CHARACTERS) cut++;
  char *line = log_text + report.log_length;
  line[0] = cut & 0xFF, line[1] = cut >> 8;
  memcpy(line + 2, text, cut);
  report.log_length += 2 + cut, report.log_lines++;
  JS_FreeCString(c, text);
  return JS_UNDEFINED;
}

static JSValue compile(JSContext *c, JSValueConst self, int count, JSValueConst *given) {
  size_t length;
  const char *source = JS_ToCStringLen(c, &length, given[0]), *name = source ? JS_ToCString(c, given[1]) : NULL;
  JSValue value = name ? JS_Eval(c, source, length, name, JS_EVAL_TYPE_GLOBAL) : JS_EXCEPTION;
  JS_FreeCString(c, source), JS_FreeCString(c, name);
  return value;
}

/* Own properties, whatever the prototypes say. In JavaScript they would cost three and five times as much. */
static JSValue own(JSContext *c, JSValueConst self, int count, JSValueConst *given) {
  if (!JS_IsObject(given[0])) return JS_UNDEFINED;
  JSAtom name = JS_ValueToAtom(c, given[1]);
  int found = name ? JS_GetOwnProperty(c, NULL, given[0], name) : -1;
  JSValue value = found < 0 ? JS_EXCEPTION : found ? JS_GetProperty(c, given[0], name) : JS_UNDEFINED;
  JS_FreeAtom(c, name);
  return value;
}

static JSValue define(JSContext *c, JSValueConst self, int count, JSValueConst *given) {
  JSAtom name = JS_ValueToAtom(c, given[1]);
  int done = name ? JS_DefinePropertyValue(c, given[0], name, JS_DupValue(c, given[2]), JS_PROP_C_W_E | JS_PROP_THROW) : -1;
  JS_FreeAtom(c, name);
  return done < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

/* Whether it is a promise, and how it stands, whatever the script has made of its prototype: undefined, 0 waiting, 1, 2
 * rejected; and what it was rejected with. */
static JSValue promise_state(JSContext *c, JSValueConst self, int count, JSValueConst *given) {
  return JS_IsPromise(given[0]) ? JS_NewInt32(c, JS_PromiseState(c, given[0])) : JS_UNDEFINED;
}
static JSValue promise_result(JSContext *c, JSValueConst self, int count, JSValueConst *given) {
  return JS_PromiseResult(c, given[0]);
}

/* A promise that was rejected without anybody there to handle it, or is handled after all: the prelude keeps the list. */
static void track(JSContext *c, JSValueConst promise, JSValueConst reason, bool handled, void *opaque) {
  JSValueConst given[] = {promise, reason, handled ? JS_TRUE : JS_FALSE};
  if (JS_IsException(JS_Call(c, rejected_function, JS_UNDEFINED, 3, given))) stop(RUNNING);
}

/* --- what the host calls ------------------------------------------------------------------------------------------- */
static int raised(void) {
  JSValue error = JS_GetException(context), message = JS_ToString(context, error);
  JSValue stack = JS_IsObject(error) ? JS_GetPropertyStr(context, error, "stack") : JS_UNDEFINED;
  const char *parts[] = {JS_IsException(message) ? NULL : JS_ToCString(context, message),
                         JS_IsString(stack) ? JS_ToCString(context, stack) : NULL};
  for (int i = 0; i < 2; i++) {
    size_t length = parts[i] ? strnlen(parts[i], ERROR_BYTES) : 0;
    if (length) memcpy(answer + report.answer_length, parts[i], length);
    report.answer_length += length;
    if (i == 0) answer[report.answer_length++] = '\n';
  }
  return report.state = RAISED;
}

static int answered(JSValue value) {
  size_t length;
  const char *text = JS_IsException(value) ? NULL : JS_ToCStringLen(context, &length, value);
  if (!text) return raised();
  leave(text, length);
  return report.state = ANSWERED;
}

static int says_nothing(JSValue value) {
  int64_t length = -1;
  return JS_IsUndefined(value) || (JS_IsString(value) && !JS_GetLength(context, value, &length) && !length);
}

static JSValue take(const char *name) {
  JSValue global = JS_GetGlobalObject(context), value = JS_GetPropertyStr(context, global, name);
  JSAtom atom = JS_NewAtom(context, name);
  JS_DeleteProperty(context, global, atom, 0);
  JS_FreeAtom(context, atom), JS_FreeValue(context, global);
  return value;
}

static void offer(const char *name, JSCFunction *function, int count) {
  JSValue global = JS_GetGlobalObject(context);
  JS_SetPropertyStr(context, global, name, JS_NewCFunction(context, function, name, count));
  JS_FreeValue(context, global);
}

EXPORT("report") void *report_address(void) { return &report; }

/* Once, before freezing: the input is the prelude. Its entry points become ours and are no globals any more. */
EXPORT("start") int start(int heap_bytes, int stack_bytes, int length) {
  heap_limit = heap_bytes;
  if (!(runtime = JS_NewRuntime2(&heap_functions, NULL)) || !(context = JS_NewContextRaw(runtime))) return RAISED;
  JS_SetMaxStackSize(runtime, stack_bytes), JS_SetGCThreshold(runtime, 1 << 20);
  JS_AddIntrinsicBaseObjects(context), JS_AddIntrinsicDate(context), JS_AddIntrinsicEval(context);
  JS_AddIntrinsicRegExp(context), JS_AddIntrinsicJSON(context), JS_AddIntrinsicProxy(context);
  JS_AddIntrinsicMapSet(context), JS_AddIntrinsicTypedArrays(context), JS_AddIntrinsicPromise(context);
  offer("__halt", halt, 1), offer("__log", append_log, 1), offer("__compile", compile, 2);
  offer("__encode", encode, 1), offer("__own", own, 2), offer("__define", define, 3);
  offer("__promiseState", promise_state, 1), offer("__promiseResult", promise_result, 1);
  JSValue value = JS_Eval(context, input, length, "<prelude>", JS_EVAL_TYPE_GLOBAL);
  if (JS_IsException(value)) return raised();
  begin_function = take("__begin"), main_function = take("__main"), next_function = take("__next");
  rejected_function = take("__rejected");
  JS_SetHostPromiseRejectionTracker(runtime, track, NULL);
  JS_RunGC(runtime);
  memset(input, 0, sizeof input);
  /* Room for what scripts need, so that memory does not have to grow. */
  void *volatile room = malloc(ROOM_BYTES);
  free(room);
  return RUNNING;
}

/* The input is the name of a file, NUL, the script, NUL. What `run` evaluates from now on, if it compiles. */
EXPORT("compile") int compile_script(int name_length, int script_length) {
  JS_UpdateStackTop(runtime);
  compiled = JS_Eval(context, input + name_length + 1, script_length, input, JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(compiled)) return raised();
  memset(input, 0, name_length + script_length + 1);
  return report.state = COMPILED;
}

/* The input is what is given. Evaluates the compiled script; answered by the first text, not empty, of main and then next. */
EXPORT("run") int run(int given_length) {
  JSContext *of_job;
  int jobs;
  JS_UpdateStackTop(runtime);
  report.state = RUNNING;
  JSValue given = JS_NewStringLen(context, input, given_length);
  if (JS_IsException(JS_Call(context, begin_function, JS_UNDEFINED, 1, &given))) return raised();
  JSValue value = JS_EvalFunction(context, compiled);
  if (JS_IsException(value)) return raised();
  value = JS_Call(context, main_function, JS_UNDEFINED, 0, NULL);
  while (says_nothing(value)) {
    while ((jobs = JS_ExecutePendingJob(runtime, &of_job)) > 0) {}
    if (jobs < 0) return raised();
    value = JS_Call(context, next_function, JS_UNDEFINED, 0, NULL);
  }
  return answered(value);
}
