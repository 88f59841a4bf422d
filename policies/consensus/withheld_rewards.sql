-- Only the rules of consensus read and write this; no client does.

revoke all on consensus.withheld_rewards from public, anon, authenticated, service_role;
