"""The demo's model: the scripted brain behind the chat-completions protocol."""

from typing import Any

from agents.llm.simulator.brain import answer
from agents.llm.simulator.customer import CUSTOMER_MODEL, play_customer
from agents.llm.simulator.judge import JUDGE_MODEL, judge
from agents.llm.simulator.server import Answer, RequestRefusedError

MODELS = ("shop-demo-1", "shop-demo-1-mini")


class ScriptedBrain:
    """Answers by rules that stand in the system prompt of each request."""

    models = (*MODELS, JUDGE_MODEL, CUSTOMER_MODEL)

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return the next message; raises `RequestRefusedError` for a malformed conversation."""
        try:
            if request["model"] == JUDGE_MODEL:
                return Answer({"role": "assistant", "content": judge(request)})
            if request["model"] == CUSTOMER_MODEL:
                return Answer({"role": "assistant", "content": play_customer(request)})
            tools = [tool["function"]["name"] for tool in request.get("tools") or []]
            return Answer(answer(request["messages"], tools))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise RequestRefusedError(
                f"The conversation cannot be read: {type(error).__name__}: {error}.",
                param="messages",
            ) from error
