"""Deploys, reverts and deploys of nothing new over ssh, on a line with a delay, beside other tools."""
