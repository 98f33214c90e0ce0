"""The people's side of a job: tasks that are open, votes that have come, and the journal that keeps them."""

from labelplane_aggregation.inbox.desk import Desk
from labelplane_aggregation.inbox.inbox import Progress, Receipt, ReviewInbox
from labelplane_aggregation.inbox.ledger import OpenTask
from labelplane_aggregation.inbox.votes import IncomingVote, SetAside

__all__ = ["Desk", "IncomingVote", "OpenTask", "Progress", "Receipt", "ReviewInbox", "SetAside"]
