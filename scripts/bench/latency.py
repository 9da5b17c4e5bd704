"""Latencies at fixed rates, on CPUs that service, Redis and load share."""

from rounds import in_rounds, say

SHARES = (0.25, 0.5, 0.8)
CURVE_SHARES = (0.1, 0.25, 0.5, 0.8, 0.95)
# At half the rate, service, Redis and load together must leave so much of the CPUs idle that latencies are the service's.
BUSY_MAX = 0.6
ATTEMPTS = 5


def usable_rate(plan, row):
    """Returns the capacity of a row, and a rate whose half keeps the CPUs at most BUSY_MAX busy, if ATTEMPTS are enough."""
    capacity = rate = plan.driver.capacity(row, plan.secs)
    for _ in range(ATTEMPTS):
        busy = plan.driver.open_loop(row, rate / 2, plan.secs)["busy"]
        say(f"{row.name} at {rate / 2:,.0f}/s: CPUs {busy:.0%} busy")
        if busy <= BUSY_MAX:
            break
        rate *= 0.97 * BUSY_MAX / busy
    return capacity, rate


def same_rates(plan):
    """Measures the bare reply, READ from the near cache and READ at the same rates, which fit READ."""
    rows = [plan.bare_row(), plan.near_row(), plan.row("READ")]
    capacity, rate = usable_rate(plan, rows[-1])
    steps = {
        (row.name, share): lambda row=row, share=share: plan.driver.open_loop(row, rate * share, plan.secs)
        for share in SHARES
        for row in rows
    }  # fmt: skip
    return {"capacity": capacity, "rate": rate, "rows": in_rounds(plan.few_rounds, steps)}


def curves(plan):
    """Measures each row at parts of its own capacity, once. Returns the capacities, and the figures in order of the rate."""
    rows = [plan.bare_row(), plan.near_row(), plan.row("READ"), plan.row("WRITE", "write"), plan.batch_row(), *plan.peers]
    found = {}
    for row in rows:
        capacity = plan.driver.capacity(row, plan.secs)
        say(f"{row.name}: capacity {capacity:,.0f}/s")
        points = {share: plan.driver.open_loop(row, capacity * share, plan.secs) for share in CURVE_SHARES}
        found[row.name] = {"capacity": capacity, "points": points}
    return found
