//! The scripts that Redis runs as one step. They are sent whole: Redis keeps a compiled script by its text, and a node that
//! was just promoted or restarted needs nothing beforehand.

/// Adds to a number. `KEYS[1]` is its key; the arguments are the addition, the seconds that a new key lives, the smallest and
/// the largest result; those that do not apply are empty. Returns 1, or 0 if a limit would have been passed, the number as
/// text, because Lua's own numbers have 53 bits, and `PTTL`; or -1 for no number, or -2 for an overflow. The JSON number of an
/// envelope becomes a plain one.
pub const INCREMENT: &str = r"local k,by,ttl,min,max=KEYS[1],ARGV[1],ARGV[2],ARGV[3],ARGV[4]
local old=redis.call('GET',k)
local function above(a,b)
 local an,bn=a:sub(1,1)=='-',b:sub(1,1)=='-'
 if an~=bn then return bn end
 if #a~=#b then return (#a>#b)~=an end
 return a~=b and (a>b)~=an
end
local function undo()
 if old then redis.call('SET',k,old,'KEEPTTL') else redis.call('DEL',k) end
end
local text=old
if old and old:sub(1,3)=='\193\1\1' then text=old:sub(4) redis.call('SET',k,text,'KEEPTTL') end
local sum=redis.pcall('INCRBY',k,by)
if type(sum)=='table' then
 if text~=old then undo() end
 if sum.err:find('overflow') then return {-2} end
 if sum.err:find('not an integer') then return {-1} end
 return sum
end
local new,down=redis.call('GET',k),by:sub(1,1)=='-'
if (not down and max~='' and above(new,max)) or (down and min~='' and above(min,new)) then
 undo()
 return {0,text or '0',redis.call('PTTL',k)}
end
if not old and ttl~='' then redis.call('EXPIRE',k,ttl) end
return {1,new,redis.call('PTTL',k)}";

/// Takes tokens from a bucket by the generic cell rate algorithm. `KEYS[1]` is its key; the arguments are the microseconds per
/// token, those of all tokens, and the tokens to take. The key holds the time at which the bucket is full again. Returns 1, or 0
/// if there are too few tokens, the tokens that are left, and the microseconds until there are enough, and until the bucket is
/// full; or -1 if the key holds something else.
pub const TAKE_TOKENS: &str = r"local k,one,all,cost=KEYS[1],tonumber(ARGV[1]),tonumber(ARGV[2]),tonumber(ARGV[3])
local time,old=redis.call('TIME'),redis.call('GET',k)
local now,full=time[1]*1000000+time[2],old and old:match('^rate:(%d+)$')
if old and not full then return {-1} end
full=math.max(tonumber(full) or 0,now)
local next=full+one*cost
local wait=next-all-now
local function left(at) return math.max(math.floor((all+now-at)/one),0) end
if cost>0 and wait>0 then return {0,left(full),wait,full-now} end
if cost>0 then redis.call('SET',k,string.format('rate:%.0f',next),'PX',math.ceil((next-now)/1000)) end
return {1,left(next),0,next-now}";

/// Makes a key live for ever. Returns 1, or 0 if it does not exist.
pub const PERSIST: &str = r"local found=redis.call('EXISTS',KEYS[1])
if found==1 then redis.call('PERSIST',KEYS[1]) end
return found";
