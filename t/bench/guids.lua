-- wrk script: requests to PATH with the GUIDs of N devices in turn; prints
-- one JSON line.  Arguments: API key, GUID prefix, N, path with %s

local key, prefix, n, path, i

function init(args)
    key, prefix, n, path = args[1], args[2], tonumber(args[3]), args[4]
    i = math.random(0, n - 1)
    wrk.headers["X-API-Key"] = key
end

function request()
    i = (i + 1) % n
    local guid = prefix .. string.format("%012x", i + 1)
    return wrk.format("GET", (string.gsub(path, "%%s", guid)))
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format(
        '{"rate":%.0f,"requests":%d,"errors":%d,"p50":%.3f,"p99":%.3f}\n',
        summary.requests / summary.duration * 1e6, summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
