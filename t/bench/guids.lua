-- wrk script: requests to PATH with the GUIDs of N devices in turn; prints
-- one JSON line.  Arguments: API key, GUID prefix, N, path with %s, and for
-- other requests than GET method and JSON body

local key, prefix, n, path, method, body, i

function init(args)
    key, prefix, n, path = args[1], args[2], tonumber(args[3]), args[4]
    method, body = args[5] or "GET", args[6]
    i = math.random(0, n - 1)
    wrk.headers["X-API-Key"] = key
    if body then wrk.headers["Content-Type"] = "application/json" end
end

function request()
    i = (i + 1) % n
    local guid = prefix .. string.format("%012x", i + 1)
    return wrk.format(method, (string.gsub(path, "%%s", guid)), nil, body)
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format(
        '{"rate":%.0f,"requests":%d,"errors":%d,"p50":%.3f,"p99":%.3f}\n',
        summary.requests / summary.duration * 1e6, summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
