-- Script of wrk: sends the requests of a file in turn and prints figures as JSON. A line is METHOD, path and body.

local requests, next_one = {}, 0

function init()
    local headers = { ["content-type"] = "application/json" }
    local token = os.getenv("BENCH_TOKEN")
    if token and token ~= "" then headers["authorization"] = "Bearer " .. token end
    for line in io.lines(os.getenv("BENCH_REQUESTS")) do
        local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
        requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
    end
end

function request()
    next_one = next_one % #requests + 1
    return requests[next_one]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format('\n{"requests":%d,"secs":%f,"failed":%d,"p50_us":%f,"p99_us":%f,"p999_us":%f}\n',
        summary.requests, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
