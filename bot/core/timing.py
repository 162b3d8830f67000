"""How long the steps of a kick may take, in the time that all processes share."""

from datetime import timedelta

CLAIM_WITHIN = timedelta(seconds=60)
# The process that stored a ready kick has this long to start it. After that, any process may.
RECOVER_AFTER = timedelta(seconds=5)
LEASE = timedelta(seconds=15)
RENEW_EVERY = timedelta(seconds=5)
# A call is sent this soon after it was recorded, or not at all. Then the client gives up after
# 8 s. So after the sum of the two, no call of a dead process can have an effect any more.
SEND_WITHIN = timedelta(seconds=2)
MAX_CALL_TIME = SEND_WITHIN + timedelta(seconds=8)

# No lease or start of a ready kick lies so far ahead. A date beyond was stored by a clock that was
# ahead, and has been set since. The work must not wait until that date.
FAR_AHEAD = LEASE + timedelta(seconds=30)

# If a reply was lost, the session is read at once, after 2 s, and when its list may be up to date:
# after 6 s or LIST_LAG after the end of the call, whichever is later.
SECOND_READ_AFTER = timedelta(seconds=2)
LAST_READ_AFTER = timedelta(seconds=6)
