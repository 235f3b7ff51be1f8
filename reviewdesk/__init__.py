"""reviewdesk: the desk at which a company watches over its AI agents."""
