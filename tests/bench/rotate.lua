-- Sends the requests of the file BENCH_REQUESTS (whole ones, separated by NUL) in turn; ends with one line of JSON.
local requests = {}
local at = 0

function init(args)
  local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
  for request in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = request end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nJSON {"seconds":%f,"requests":%d,"errors":%d,"p50_ms":%f,"p99_ms":%f}\n',
    summary.duration / 1e6, summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
