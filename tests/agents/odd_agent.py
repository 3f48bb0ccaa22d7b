"""An ACP agent that is odd in one way, named by its argument: what real agents were seen to do."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

SESSION = "s1"
# In the session's folder: what one process leaves to the next.
BILL = Path("bill")


def write(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def update(kind, /, **fields):
    params = {"sessionId": SESSION, "update": {"sessionUpdate": kind, **fields}}
    write({"method": "session/update", "params": params})


def say(text, **fields):
    update("agent_message_chunk", content={"type": "text", "text": text}, **fields)


def answer(message, **result):
    write({"id": message["id"], "result": result})


def fail(message, code, text):
    write({"id": message["id"], "error": {"code": code, "message": text}})


def nested(depth):
    value = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def text_of(message):
    return message["params"]["prompt"][0]["text"]


class Agent:
    def initialize(self, message):
        answer(message, protocolVersion=1, agentCapabilities={})

    def new(self, message):
        answer(message, sessionId=SESSION)

    def prompt(self, message):
        say("hello")
        answer(message, stopReason="end_turn")

    def cancel(self, message):
        pass

    def other(self, message):
        pass


class Greets(Agent):
    """Prints a few words for people before it speaks its protocol."""

    def initialize(self, message):
        print("Loaded cached credentials.\n[warn] a deprecated module", flush=True)
        super().initialize(message)


class Chatters(Agent):
    """Never stops printing text where its protocol belongs."""

    def prompt(self, message):
        for number in range(1000):
            print(f"progress {number}", flush=True)


class WantsLogin(Agent):
    def new(self, message):
        fail(message, -32000, "Authentication required")


class Silent(Agent):
    def initialize(self, message):
        pass


class EndsAtOnce(Agent):
    def initialize(self, message):
        sys.stderr.write("cannot find the config file\n")
        sys.exit(7)


class Hungers(Agent):
    """Takes more memory than any machine has, unless it is to wait."""

    def prompt(self, message):
        say("hello")
        if "wait" not in text_of(message):
            self.held = bytearray(1024**4)


class AsksUnannounced(Agent):
    """Asks for permission without a tool call before it."""

    def prompt(self, message):
        self.message = message
        options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
        call = {"toolCallId": "c1", "title": "rm -r x", "kind": "execute", "rawInput": {"a": 1}}
        params = {"sessionId": SESSION, "toolCall": call, "options": options}
        write({"id": 100, "method": "session/request_permission", "params": params})

    def other(self, message):
        say(json.dumps(message["result"]["outcome"]))
        answer(self.message, stopReason="end_turn")


class NamesThingsAtLength(AsksUnannounced):
    """Calls everything by 200,000 characters: tools, options, its modes, steps of a plan."""

    LONG = "x" * 200_000

    def new(self, message):
        modes = [{"id": "ask", "name": self.LONG}, {"id": "auto", "name": "Auto"}]
        answer(message, sessionId=SESSION, modes={"currentModeId": "ask", "availableModes": modes})

    def prompt(self, message):
        self.message = message
        update("session_info_update", title=self.LONG)
        update("plan", entries=[{"content": self.LONG, "priority": "low", "status": "pending"}])
        for last in "ab":
            tool = {"toolCallId": self.LONG + last, "_meta": {"toolName": self.LONG}}
            update("tool_call", title=self.LONG, kind="edit", rawInput={"a": self.LONG}, **tool)
            update("tool_call_update", toolCallId=self.LONG + last, status="completed")
        options = [
            {"optionId": self.LONG + kind, "name": self.LONG, "kind": kind}
            for kind in ("allow_once", "reject_once")
        ]
        call = {"toolCallId": self.LONG + "c", "title": "echo " + self.LONG}
        params = {"sessionId": SESSION, "toolCall": call, "options": options}
        write({"id": 100, "method": "session/request_permission", "params": params})

    def other(self, message):
        say(message["result"]["outcome"]["optionId"].removeprefix(self.LONG))
        answer(self.message, stopReason="end_turn")


class RenamesItself(Agent):
    """Changes the session's title and its mode with every word, in a turn and after it."""

    def new(self, message):
        modes = [{"id": f"m{n}", "name": f"M{n}"} for n in range(2)]
        answer(message, sessionId=SESSION, modes={"currentModeId": "m0", "availableModes": modes})

    def rename(self, *, last):
        for number in range(2001):
            update("session_info_update", title=f"title {number}")
            update("current_mode_update", currentModeId=f"m{number % 2}")
        update("session_info_update", title=last)

    def prompt(self, message):
        self.rename(last="in the turn")
        answer(message, stopReason="end_turn")
        self.rename(last="after the turn")


class TalksLate(Agent):
    """Goes on with an interrupted answer after the end of its turn, and into the next turn."""

    turns = 0

    def prompt(self, message):
        self.turns += 1
        self.message = message
        if self.turns == 1:
            say("first", messageId="m1")
            return
        say("stale too", messageId="m1")
        update("tool_call_update", toolCallId="c1", status="completed")
        say("second", messageId="m2")
        answer(message, stopReason="end_turn")

    def cancel(self, message):
        update("tool_call", toolCallId="c1", title="tool of the first turn")
        answer(self.message, stopReason="cancelled")
        say("stale", messageId="m1")


class FailsWhenCancelled(Agent):
    def prompt(self, message):
        self.message = message
        say("first")

    def cancel(self, message):
        fail(self.message, -32603, "aborted")


class MissesTheFirstCancel(FailsWhenCancelled):
    cancels = 0

    def cancel(self, message):
        self.cancels += 1
        if self.cancels == 2:
            answer(self.message, stopReason="cancelled")


class AsksTooMuch(Agent):
    def prompt(self, message):
        for number in range(1000, 2000):
            write(
                {
                    "id": number,
                    "method": "session/request_permission",
                    "params": {
                        "sessionId": SESSION,
                        "toolCall": {"toolCallId": "c"},
                        "options": [],
                    },
                }
            )


class FloodsNotifications(Agent):
    """Sends what nobody knows: must neither be kept nor end anything."""

    def prompt(self, message):
        for number in range(20_000):
            write({"method": "_vendor/progress", "params": {"n": number}})
            update("no_such_update", n=number)
        say("done")
        answer(message, stopReason="end_turn")


class AsksForAFile(Agent):
    """Asks for what the client does not offer."""

    def prompt(self, message):
        self.message = message
        params = {"sessionId": SESSION, "path": "/etc/passwd"}
        write({"id": 7, "method": "fs/read_text_file", "params": params})

    def other(self, message):
        say("refused" if "error" in message else "read it")
        answer(self.message, stopReason="end_turn")


class StopsOddly(Agent):
    def prompt(self, message):
        answer(message, stopReason="tired")


class LeavesAChildInThePipe(Agent):
    """Dies while a child of it still holds its stdout."""

    def prompt(self, message):
        say("before")
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        os._exit(4)


class ClosesStdout(Agent):
    """Closes its output and lives on."""

    def prompt(self, message):
        os.close(1)
        time.sleep(600)


class ReportsUsage(Agent):
    cost = 0.0

    def prompt(self, message):
        self.cost += 0.25
        cost = {"amount": self.cost, "currency": "USD"}
        update("usage_update", used=10, size=1000, cost=cost)
        usage = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12, "cachedReadTokens": 3}
        answer(message, stopReason="max_tokens", usage=usage)


class CountsItsWholeSession(Agent):
    """Tells the cost of its whole session, over all processes; a turn costs a quarter."""

    def initialize(self, message):
        answer(message, protocolVersion=1, agentCapabilities={"loadSession": True})

    def cost(self):
        return float(BILL.read_text()) if BILL.exists() else 0.0

    def tell(self, amount):
        BILL.write_text(str(amount))
        update("usage_update", used=10, size=1000, cost={"amount": amount, "currency": "USD"})

    def prompt(self, message):
        self.tell(self.cost() + 0.25)
        answer(message, stopReason="end_turn")

    def other(self, message):
        answer(message)


class TellsItsCostAtItsStart(CountsItsWholeSession):
    """Was used beside the chat, and says with its session what all of it has cost."""

    def other(self, message):
        self.tell(self.cost() + 5)
        super().other(message)


class CountsAnewInEachProcess(CountsItsWholeSession):
    amount = 0.0

    def cost(self):
        return self.amount

    def tell(self, amount):
        self.amount = amount
        super().tell(amount)


class ForgetsItsSession(CountsItsWholeSession):
    """Cannot take its session up again, so a new one begins, which has cost nothing yet."""

    def new(self, message):
        self.tell(0.0)
        super().new(message)

    def other(self, message):
        fail(message, -32602, "unknown session")


class CountsBesideItsText(Agent):
    """Tells the tokens of each request to its model in a chunk without text."""

    def prompt(self, message):
        for _ in range(2):
            usage = {"inputTokens": 20, "outputTokens": 3, "cachedReadTokens": 15}
            say("", _meta={"usage": usage})
        say("done")
        answer(message, stopReason="end_turn")


class CountsInItsMeta(Agent):
    """Tells the tokens of a turn in a place of its own."""

    def prompt(self, message):
        counts = {"input_tokens": 20, "output_tokens": 3}
        answer(message, stopReason="end_turn", _meta={"quota": {"token_count": counts}})


class DressesItsOutput(Agent):
    """Shows a command's output with a heading, and as it is only as the raw output."""

    def prompt(self, message):
        dressed = {"type": "content", "content": {"type": "text", "text": "Output: out\nExit: 0"}}
        diff = {"type": "diff", "path": "a.txt", "newText": "new"}
        for tool, content in (("c1", dressed), ("c2", diff)):
            update("tool_call", toolCallId=tool, title="x", kind="execute")
            done = {"toolCallId": tool, "status": "completed", "rawOutput": "out"}
            update("tool_call_update", **done, content=[content])
        answer(message, stopReason="end_turn")


class PromisesToResume(Agent):
    """Says that it can resume a session, and knows only how to load one."""

    def initialize(self, message):
        can = {"loadSession": True, "sessionCapabilities": {"resume": {}}}
        answer(message, protocolVersion=1, agentCapabilities=can)

    def other(self, message):
        if message.get("method") == "session/load":
            answer(message)
        else:
            fail(message, -32601, "Method not found")


class AnswersBeforeItsReplay(Agent):
    """Answers the load of a session first, and then tells what was said in it."""

    def initialize(self, message):
        answer(message, protocolVersion=1, agentCapabilities={"loadSession": True})

    def other(self, message):
        answer(message)
        for text in ("an old ", "answer ", "in pieces "):
            say(text)
            time.sleep(0.1)


class HasItsModesAsAnOption(Agent):
    """Offers its modes as a configuration option, and changes it by itself in a turn."""

    def options(self, current):
        build, plan = ({"value": name, "name": name.title()} for name in ("build", "plan"))
        model = {"id": "m", "name": "Model", "category": "model", "type": "select"}
        mode = {"id": "how", "name": "Mode", "category": "mode", "type": "select"}
        return [
            model | {"currentValue": "small", "options": [{"value": "small", "name": "Small"}]},
            mode | {"currentValue": current, "options": [build, plan]},
        ]

    def new(self, message):
        answer(message, sessionId=SESSION, configOptions=self.options("build"))

    def other(self, message):
        asked = message["params"]
        if (message["method"], asked["configId"]) == ("session/set_config_option", "how"):
            options = self.options(asked["value"])
            update("config_option_update", configOptions=options)
            answer(message, configOptions=options)

    def prompt(self, message):
        update("config_option_update", configOptions=self.options("build"))
        answer(message, stopReason="end_turn")


class HasItsModesTwice(HasItsModesAsAnOption):
    """Offers its modes outright, too, where it takes no other one."""

    def new(self, message):
        offered = [{"id": name, "name": name.title()} for name in ("build", "plan")]
        modes = {"currentModeId": "build", "availableModes": offered}
        answer(message, sessionId=SESSION, modes=modes, configOptions=self.options("build"))

    def other(self, message):
        if message["method"] == "session/set_mode":
            fail(message, -32603, "The setting holds my mode.")
        else:
            super().other(message)


class NestsDeep(Agent):
    """Sends a tool's input, its output and a request whose JSON is nested 900 deep."""

    def prompt(self, message):
        self.message = message
        say("before")
        update("tool_call", toolCallId="c1", title="deep", kind="execute", rawInput=nested(900))
        update("tool_call_update", toolCallId="c1", status="completed", rawOutput=nested(900))
        call = {"toolCallId": "c2", "title": "deep too", "rawInput": nested(900)}
        options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
        params = {"sessionId": SESSION, "toolCall": call, "options": options}
        write({"id": 100, "method": "session/request_permission", "params": params})

    def other(self, message):
        say("after")
        if "stay" not in text_of(self.message):
            answer(self.message, stopReason="end_turn")

    def cancel(self, message):
        answer(self.message, stopReason="cancelled")


class CountsAsTold(Agent):
    """Tells the counts and the cost that its prompt names, however little sense they make."""

    def prompt(self, message):
        told = json.loads(text_of(message))
        say("hello")
        cost = {"amount": told.get("cost", 0.5), "currency": "USD"}
        update("usage_update", used=told.get("used", 10), size=told.get("size", 1000), cost=cost)
        usage = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12} | told.get("usage", {})
        answer(message, stopReason="end_turn", usage=usage)


class SendsWrongTypes(Agent):
    """Sends updates whose fields are of no type that they may have."""

    def prompt(self, message):
        for odd in ([], {}, 5, None):
            update(odd, content={"type": "text", "text": "?"})
            update("agent_message_chunk", content={"type": odd, "text": odd})
            update("agent_message_chunk", content=odd, messageId=odd, _meta=odd)
            update("tool_call", toolCallId=odd, title=odd, status=odd, rawInput=odd)
            update("usage_update", used=odd, size=odd, cost=odd)
        say("hello")
        answer(message, stopReason="end_turn")


class HasLongIds(Agent):
    """Has ids that no column holds: of its session, and of one of its modes."""

    def initialize(self, message):
        can = {"loadSession": True}
        answer(message, protocolVersion=1, agentCapabilities=can)

    def new(self, message):
        global SESSION
        SESSION = "s" * 300
        offered = [{"id": mode, "name": mode[:3]} for mode in ("ask", "m" * 100)]
        modes = {"currentModeId": "m" * 100, "availableModes": offered}
        answer(message, sessionId=SESSION, modes=modes)

    def prompt(self, message):
        update("current_mode_update", currentModeId="ask")
        update("current_mode_update", currentModeId="m" * 100)
        update("session_info_update", title="t" * 1000)
        super().prompt(message)


class HeedsNothing(Agent):
    """Neither ends its turn nor itself."""

    def __init__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def prompt(self, message):
        say("on and on")


class KeepsItsMode(Agent):
    """Begins in auto. Files in a folder tell what else: `refuse` the mode ask, `hold` the start.

    Its answer is the mode that it is in.
    """

    mode = "auto"

    def initialize(self, message):
        can = {"sessionCapabilities": {"resume": {}}}
        answer(message, protocolVersion=1, agentCapabilities=can)

    def opened(self):
        while hinted("hold"):
            time.sleep(0.01)
        offered = [{"id": name, "name": name.title()} for name in ("auto", "ask")]
        return {"currentModeId": self.mode, "availableModes": offered}

    def new(self, message):
        answer(message, sessionId=SESSION, modes=self.opened())

    def prompt(self, message):
        say(self.mode)
        answer(message, stopReason="end_turn")

    def other(self, message):
        if message["method"] == "session/resume":
            answer(message, modes=self.opened())
        elif hinted("refuse") and message["params"]["modeId"] == "ask":
            fail(message, -32603, "I stay in auto")
        else:
            self.mode = message["params"]["modeId"]
            answer(message)


def hinted(name):
    return (Path(sys.argv[2]) / name).exists()


class Plays(Agent):
    """Does what its prompt says: a JSON list of steps, each an update or one of these.

    {"ask": params of a permission request}, {"question": params of an elicitation},
    {"raw": a line}, {"pause": seconds}, {"exit": code}, {"wait": true} for the cancel of the turn,
    {"fail": text},
    {"done": true} for the end of the turn: further steps follow it. {"take back": true} cancels the
    last request. Without {"exit"} or {"wait"} the turn ends well.
    """

    asked = 100

    is_done = False

    def prompt(self, message):
        self.message, self.answers, self.is_done = message, [], False
        self.steps = json.loads(text_of(message))
        self.play()

    def play(self):
        while self.steps:
            step = self.steps.pop(0)
            steps = {name: own for name, own in self.STEPS.items() if name in step}
            own = next(iter(steps.values()), Plays.tell)
            if own(self, step):
                return
        self.end()

    def write_raw(self, step):
        sys.stdout.buffer.write(step["raw"].encode("latin-1") + b"\n")
        sys.stdout.buffer.flush()

    def pause(self, step):
        time.sleep(step["pause"])

    def request(self, method, params, step):
        self.asked += 1
        write({"id": self.asked, "method": method, "params": {"sessionId": SESSION, **params}})
        return step.get("wait", True)

    def ask(self, step):
        return self.request("session/request_permission", step["ask"], step)

    def question(self, step):
        return self.request("elicitation/create", step["question"], step)

    def take_back(self, step):
        write({"method": "$/cancel_request", "params": {"requestId": self.asked}})

    def leave(self, step):
        os._exit(step["exit"])

    def fail(self, step):
        fail(self.message, -32603, step["fail"])
        return True

    def tell(self, step):
        write({"method": "session/update", "params": {"sessionId": SESSION, "update": step}})

    STEPS = {
        "raw": write_raw,
        "pause": pause,
        "ask": ask,
        "question": question,
        "take back": take_back,
        "done": lambda self, step: self.end(),
        "exit": leave,
        "wait": lambda self, step: True,
        "fail": fail,
    }

    def end(self):
        if not self.is_done:
            self.is_done = True
            answer(self.message, stopReason="end_turn")

    def other(self, message):
        if "result" not in message:
            return
        outcome = message["result"].get("outcome")
        if outcome is None:  # of a question
            say(f"<{json.dumps(message['result'])}>")
        else:
            say(f"<{outcome.get('optionId', outcome['outcome'])}>")
        self.play()

    def cancel(self, message):
        answer(self.message, stopReason="cancelled")


class SpeaksTheDraft(Agent):
    """Speaks in the style of the v2 draft: a receipt at once, updates, then a word that it is idle.

    The prompt has the steps, as of Plays. "early" as the first one: idle comes before the receipt.
    """

    def prompt(self, message):
        words = text_of(message)
        self.message = message
        if words == "early":
            self.work("early")
            self.idle("end_turn")
            answer(message, messageId="u1")
            return
        answer(message, messageId="u1")
        update("user_message", messageId="u1", content=[{"type": "text", "text": words}])
        update("state_update", state="running")
        self.work(words)
        if words != "wait":
            self.idle("refusal" if words == "refuse" else "end_turn")
        if words == "twice":
            update("state_update", state="running")
            say("by myself")
            self.idle("end_turn")

    def work(self, words):
        update("tool_call_update", toolCallId=words, title="ls", kind="execute", status="completed")
        say(f"after the answer to {words}")

    def idle(self, reason):
        usage = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}
        update("state_update", state="idle", stopReason=reason, usage=usage)

    def cancel(self, message):
        self.idle("cancelled")


class Offers(Plays):
    """Has settings: a model that brings a switch with it, and a value that it refuses."""

    model, fast = "small", False

    def options(self):
        values = [{"value": name, "name": name.title()} for name in ("small", "big", "refused")]
        select = {"type": "select", "currentValue": self.model, "options": values}
        told = [{"id": "model", "category": "model", "name": "Model", **select}]
        if self.model == "big":
            switch = {"type": "boolean", "currentValue": self.fast}
            told.append({"id": "fast", "name": "Fast", **switch})
        return told

    def new(self, message):
        answer(message, sessionId=SESSION, configOptions=self.options())
        commands = [{"name": "review", "description": "Look", "input": {"hint": "what"}}]
        update("available_commands_update", availableCommands=commands)

    def other(self, message):
        if message.get("method") != "session/set_config_option":
            super().other(message)
            return
        params = message["params"]
        if params["value"] == "refused":
            fail(message, -32602, "no such model")
            return
        setattr(self, params["configId"], params["value"])
        answer(message, configOptions=self.options())


class TellsItsServers(Agent):
    """Answers with the MCP servers that it was given."""

    by_http = False

    def initialize(self, message):
        can = {"sessionCapabilities": {"resume": {}}, "mcpCapabilities": {"http": self.by_http}}
        answer(message, protocolVersion=1, agentCapabilities=can)

    def new(self, message):
        self.given = message["params"]["mcpServers"]
        answer(message, sessionId=SESSION)

    def prompt(self, message):
        say(json.dumps(self.given))
        answer(message, stopReason="end_turn")

    def other(self, message):
        if message["method"] == "session/resume":
            self.given = message["params"]["mcpServers"]
            answer(message)


class TellsItsServersByHttp(TellsItsServers):
    """Takes those by http, too."""

    by_http = True


class LoadsOddly(Agent):
    """Can load a session, and does with it what a file `load` in its folder says.

    refuse, refuse the first, hang, exit; else it loads.
    """

    def initialize(self, message):
        answer(message, protocolVersion=1, agentCapabilities={"loadSession": True})

    def new(self, message):
        global SESSION
        count = len(list(Path().glob("session-*"))) + 1
        SESSION = f"session-{count}"
        Path(SESSION).write_text("")
        super().new(message)

    def other(self, message):
        global SESSION
        asked = message["params"]["sessionId"]
        with Path("loads").open("a") as loads:
            loads.write(asked + "\n")
        told = Path("load").read_text() if Path("load").exists() else ""
        if told == "hang":
            time.sleep(600)
        elif told == "exit":
            sys.exit(3)
        elif told == "refuse" or (told == "refuse the first" and asked == "session-1"):
            fail(message, -32603, "the disk is busy")
        else:
            SESSION = asked
            answer(message)

    def prompt(self, message):
        say(SESSION)
        answer(message, stopReason="end_turn")


class Forks(LoadsOddly):
    """Copies a session, or does not, as a file `fork` says: refuse, exit."""

    def initialize(self, message):
        can = {"loadSession": True, "sessionCapabilities": {"fork": {}}}
        answer(message, protocolVersion=1, agentCapabilities=can)

    def other(self, message):
        global SESSION
        if message.get("method") != "session/fork":
            super().other(message)
            return
        told = Path("fork").read_text() if Path("fork").exists() else ""
        if told == "exit":
            sys.exit(3)
        elif told == "refuse":
            fail(message, -32002, "Resource not found")
        else:
            SESSION = "fork-of-" + message["params"]["sessionId"]
            answer(message, sessionId=SESSION)

    def prompt(self, message):
        say(SESSION + ": " + message["params"]["prompt"][0]["text"])
        answer(message, stopReason="end_turn")


class HasChats(Agent):
    """Lists the chats of a file `chats`, two a page, and tells them again when it loads them.

    How a load goes wrong is the name of the chat: gone, hangs, exits; late: it tells all after its
    answer.
    """

    def initialize(self, message):
        can = {"loadSession": True, "sessionCapabilities": {"list": {}}}
        answer(message, protocolVersion=1, agentCapabilities=can)

    def other(self, message):
        if message.get("method") == "session/list":
            path = Path("chats")
            chats = json.loads(path.read_text()) if path.exists() else []
            begin = int(message["params"].get("cursor", "0"))
            more = {"nextCursor": str(begin + 2)} if len(chats) > begin + 2 else {}
            answer(message, sessions=chats[begin : begin + 2], **more)
        elif message.get("method") == "session/load":
            self.load(message)

    def load(self, message):
        global SESSION
        SESSION = message["params"]["sessionId"]
        with Path("loads").open("a") as loads:
            loads.write(SESSION + "\n")
        if SESSION == "gone":
            fail(message, -32002, "Resource not found")
            return
        if SESSION == "hangs":
            time.sleep(600)
        if SESSION == "exits":
            sys.exit(3)
        if SESSION == "late":
            answer(message)
        self.tell()
        if SESSION != "late":
            answer(message)

    def tell(self):
        def prompt(text, **fields):
            update("user_message_chunk", content={"type": "text", "text": text}, **fields)

        update("available_commands_update", availableCommands=[])
        prompt("Fix the ", messageId="u1")
        prompt("roof", messageId="u1")
        update("agent_thought_chunk", content={"type": "text", "text": "A ladder?"})
        say("I have a **ladder**.")
        update("tool_call", toolCallId="c1", title="ls", kind="execute", rawInput={"command": "ls"})
        update("tool_call_update", toolCallId="c1", status="completed", rawOutput="ladder\n")
        update("nonsense")
        update("usage_update", used=5, size=10, cost={"amount": 3.5, "currency": "USD"})
        prompt("And the door")
        say("It has a handle \ud83d")
        say("\ude00")

    def prompt(self, message):
        say(f"still {SESSION}")
        answer(message, stopReason="end_turn")


class TellsItsLimit(Agent):
    """Tells how many files it may open, and how many a command that it runs may."""

    def prompt(self, message):
        command = ["sh", "-c", "ulimit -Sn"]
        of_a_tool = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        say(f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0]} {of_a_tool.strip()}")
        answer(message, stopReason="end_turn")


class ClosesStdin(Agent):
    """Closes its input and lives on."""

    def new(self, message):
        super().new(message)
        os.close(0)
        time.sleep(600)


class ReadsNothing(Agent):
    """Takes no input any more, so a large prompt cannot even be written."""

    def new(self, message):
        super().new(message)
        time.sleep(600)


def main():
    agent = globals()[sys.argv[1]]()
    handlers = {
        "initialize": agent.initialize,
        "session/new": agent.new,
        "session/prompt": agent.prompt,
        "session/cancel": agent.cancel,
    }
    for line in sys.stdin:
        message = json.loads(line)
        handlers.get(message.get("method"), agent.other)(message)


if __name__ == "__main__":
    main()
