// What Redis runs to charge one caller: all their keys in one step, by Redis's own clock, so that replicas whose clocks
// differ count one window. The same two algorithms as counter.ts; each key expires when nothing is left to remember.
// Why not a library: rate-limiter-flexible has fixed windows only, which let through twice the quota around their edges.
// Reading the clock before writing needs Redis 5 or newer (scripts are replicated by their effects).
import { WINDOW_PARTS } from "./quota";

/**
 * KEYS: one for each charge. ARGV: "take" or "settle", then for each key algorithm, points, window and block in
 * milliseconds, cost. Answers for each key the points that are left, or minus the milliseconds to wait; after the first
 * that has to wait it stops.
 */
export const chargeScript = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local force = ARGV[1] == 'settle'

-- What a forced charge may come to: not below nothing, and no debt above another quota.
local function settled(used, cost, points)
  return math.min(math.max(used + cost, 0), math.max(used, 2 * points))
end

local function bucket(key, points, window, cost)
  local rate = points / window
  local held = redis.call('HMGET', key, 'level', 'at')
  local level = tonumber(held[1]) or 0
  local at = tonumber(held[2]) or now
  if now > at then
    level = math.max(0, level - (now - at) * rate)
    at = now
  end
  local over = level + cost - points
  if over > 0.000001 and not force then return -math.max(1, math.ceil(over / rate)) end
  level = force and settled(level, cost, points) or level + cost
  redis.call('HSET', key, 'level', string.format('%.17g', level), 'at', string.format('%.0f', at))
  redis.call('PEXPIRE', key, math.ceil(level / rate) + 1)
  return math.max(0, math.floor(points - level))
end

local function window(key, points, length, block, cost)
  local part = length / ${WINDOW_PARTS}
  local newest = math.floor(now / part)
  local oldest = newest - ${WINDOW_PARTS}
  local parts, used, shut = {}, 0, 0
  local held = redis.call('HGETALL', key)
  for i = 1, #held, 2 do
    local at = tonumber(held[i])
    if held[i] == 'shut' then
      shut = tonumber(held[i + 1])
    elseif at < oldest then
      redis.call('HDEL', key, held[i])
    else
      parts[at] = tonumber(held[i + 1])
      used = used + parts[at]
    end
  end
  local function keep()
    redis.call('PEXPIRE', key, math.ceil(math.max(length + part, shut - now)))
  end
  if not force then
    local open = shut
    local over = used + cost - points
    for at = oldest, newest do
      if over <= 0 then break end
      over = over - (parts[at] or 0)
      if over <= 0 then open = math.max(open, (at + ${WINDOW_PARTS + 1}) * part) end
    end
    if open > now then
      if shut <= now and block > 0 then
        shut = now + block
        redis.call('HSET', key, 'shut', string.format('%.0f', shut))
        keep()
      end
      return -math.ceil(math.max(open, shut) - now)
    end
  end
  local rest = force and settled(used, cost, points) - used or cost
  used = used + rest
  for at = newest, oldest, -1 do
    if rest == 0 then break end
    local has = parts[at] or 0
    local change = math.max(rest, -has)
    redis.call('HSET', key, string.format('%.0f', at), string.format('%.17g', has + change))
    rest = rest - change
  end
  keep()
  return math.max(0, math.floor(points - used))
end

local answers = {}
for i, key in ipairs(KEYS) do
  local a = 2 + (i - 1) * 5
  local points, length, block, cost = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local answer
  if ARGV[a] == 'token-bucket' then
    answer = bucket(key, points, length, cost)
  else
    answer = window(key, points, length, block, cost)
  end
  answers[i] = answer
  if answer < 0 then break end
end
return answers
`;
