"""Follows one function over all its paths, each instruction about once; see engine.py."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import decode, exits
from .blocks import Blocks, find_blocks
from .calls import call_outside, call_unknown
from .compiled import goes_on
from .conditions import NEGATED, is_possible, refine
from .decode import Decoded
from .halves import check_sign
from .marks import CALLBACK, ENTRY_POINT, METHOD
from .memory import drop_return_address
from .own_calls import Summary, call_inside
from .places import goal_of
from .prototypes import prototype
from .resources import check_owned, check_turn
from .roots import registers_passed
from .state import HELD, State, Step, at_entry
from .steps import step
from .switches import is_left, targets_of_jump
from .values import (
    ARGUMENTS,
    CHANGED_BY_CALLS,
    OWN,
    RETURN_ADDRESS,
    RSP,
    Frame,
    Imported,
    Item,
    Label,
    Target,
    Value,
)
from .walk import Walk

if TYPE_CHECKING:
    from .engine import Engine

UNKNOWN_JUMP = "a jump goes to an address that could not be found out"
UNKNOWN_CALL = "it calls one of several routines, which a number chooses"
_MOST_DEPTHS = 6
_MOST_VISITS_OF_ONE = 200_000


class FunctionAnalysis:
    """One function on its way through the worklist."""

    def __init__(self, engine: Engine, start: int) -> None:
        self._engine = engine
        self._image = engine.image
        self._root = engine.roots.get(start)
        is_public = self._root is not None and self._root.is_public
        self._walk = Walk(engine.image, engine.notes, start, is_public)
        self._walk.starts_of_data = engine.named_data
        self._walk.extents = engine.extents(self._root)
        self._walk.is_described = start in engine.image.described
        self._start = start
        self._leaders = engine.scan(start).leaders
        self._states: dict[int, list[State]] = {}
        self._heap: list[tuple[int, int, int]] = []
        self._blocks = self._find_blocks()
        self._queued: set[tuple[int, int]] = set()
        declared = self._image.marks.routines.get(start)
        self._end = declared.end if declared is not None and declared.end > start else -1
        """Behind its last instruction, where its author has closed it."""
        self._others = engine.not_run_into(start)
        self._is_sure = self._root is None or self._root.is_declared or start in engine.functions
        self._exit: State | None = None
        self._is_regular = True
        self._found_more = False
        self._visits = 0
        self._rank = 0
        """The rank of the block that is followed."""
        self._unsteady: set[int] = set()
        """The places that are come to with ever other depths of the stack."""

    def analyse(self) -> Summary:
        """Follow all paths; return what the function does."""
        walk = self._walk
        self._engine.walks[self._start] = walk
        for turn in range(64):
            if turn:
                self._engine.forget(self._start)
            self._found_more = False
            self._follow_all()
            if not self._found_more:
                break
        gaps = self._engine.notes.gaps
        is_complete = self._is_regular and not any(f == self._start for f, _ in gaps)
        return Summary(
            self._start,
            walk.is_public,
            self._exit,
            walk.reads,
            walk.changes,
            walk.alignment,
            walk.needs_gil,
            is_complete or (walk.leaves_caller and self._exit is None),
            not walk.is_public or self._start in self._image.marks.routines,
        )

    def _follow_all(self) -> None:
        self._exit, self._is_regular = None, True
        self._states.clear()
        self._heap.clear()
        self._queued.clear()
        self._push(self._start, self._first_state())
        while self._heap:
            self._rank, at, number = heapq.heappop(self._heap)
            self._queued.discard((at, number))
            self._follow(at, self._states[at][number].copy())
            if self._found_more:
                return
            if self._visits > _MOST_VISITS_OF_ONE:
                self._walk.give_up(at, "it is too large, and was followed only in part")
                return

    def _find_blocks(self) -> Blocks:
        table, tables = self._engine.table.get, self._walk.tables
        return find_blocks(self._start, self._leaders, table, tables, self._image)

    def _first_state(self) -> State:
        state = at_entry()
        root = self._root
        if root is not None and root.role in (METHOD, CALLBACK, ENTRY_POINT):
            state.gil = HELD
        if root is not None and root.int_argument is not None:
            state.half = 1 << ARGUMENTS[root.int_argument]
        passed = registers_passed(self._image, self._start, root)
        if passed is not None:
            state.stale = CHANGED_BY_CALLS & ~passed
        return state

    def _push(self, at: int, state: State) -> None:
        """Continue a path at a leader, joined with those that came there before."""
        block, loop = self._blocks.blocks.get(at), self._blocks.loops.get(at)
        if block is not None:
            state.forget_dead(block.live)
            if loop is not None:
                known = self._states.get(at, ())
                if self._rank >= block.rank and not any(map(state.has_moved, known)):
                    check_turn(self._walk, state, self._blocks, at)
                state.expect_loop(loop.writes, loop.stores)
        if at in self._unsteady:
            state.lose_depth(-at)
        known = self._states.setdefault(at, [])
        depth = state.registers[RSP]
        for number, other in enumerate(known):
            if other.registers[RSP] == depth:
                if len(known) == 1 and not loop and other.is_told_apart(state):
                    continue
                if other.join(state):
                    self._queue(at, number)
                return
        if len(known) >= _MOST_DEPTHS or self._is_turned(at, depth, known):
            self._forget_depth(at)
            return
        known.append(state)
        self._queue(at, len(known) - 1)

    def _is_turned(self, at: int, depth: Value, known: list[State]) -> bool:
        """Return whether a loop comes back to its beginning with another depth of the stack."""
        if self._rank < self._blocks.rank(at):
            return False
        pointers = [other.registers[RSP] for other in known]
        return type(depth) is Frame and any(
            type(each) is Frame and each.base == depth.base for each in pointers
        )

    def _forget_depth(self, at: int) -> None:
        """Follow the function anew: from a place on, how deep the stack is depends on the turns."""
        self._unsteady.add(at)
        self._walk.bases[-at] = 1, 0
        self._walk.alignment = None
        self._found_more = True

    def _queue(self, at: int, number: int) -> None:
        item = at, number
        if item not in self._queued:
            self._queued.add(item)
            heapq.heappush(self._heap, (self._blocks.rank(at), at, number))

    def _follow(self, at: int, state: State) -> None:
        """Follow a path until it ends or comes to a leader."""
        leaders, table, walk = self._leaders, self._engine.table, self._walk
        watch, is_guess = self._engine.watch, self._start in self._engine.guessed
        first, visits, behind = True, 0, -1
        last = state.way.at if state.way is not None else at
        while True:
            if at == self._end or (at == behind and at in self._others):
                self._runs_on(at, last, state)
                break
            if not first and at in leaders:
                self._push(at, state)
                break
            first = False
            found = table.get(at) or self._engine.decoded(at)
            if found is None:
                exits.check_bytes(walk, state, at, is_sure=self._is_sure)
                break
            visits += 1
            last, behind = at, found.next
            if watch is not None:
                watch(self._start, at, state)
            if found.operation.flow == decode.NEXT:
                step(walk, state, found)
                at = found.next
                if not is_guess or at not in self._engine.walks:
                    continue
                walk.give_up(at, exits.NOT_CODE)
                break
            if (following := self._branch(state, found)) is None:
                break
            # A jump to what follows is meant.
            at, behind = following, -1 if found.operation.flow == decode.JUMP else behind
        self._visits += visits
        self._engine.notes.visits += visits

    def _runs_on(self, at: int, last: int, state: State) -> None:
        """Report that a path goes on behind the function."""
        what = "what follows it" if at == self._end else self._image.name(at)
        self._walk.report("falls-off", last, f"the function runs on into {what}", state)

    def _branch(self, state: State, found: Decoded) -> int | None:
        """Apply an instruction that changes the flow; return where this path goes on."""
        flow = found.operation.flow
        walk = self._walk
        if flow == decode.BRANCH:
            step(walk, state, found)
            return self._branch_both(state, found)
        if flow == decode.CALL or flow == decode.CALL_VALUE:
            return self._call(state, found)
        if flow == decode.JUMP:
            return self._jump(state, found, found.goal)
        if flow == decode.JUMP_VALUE:
            self._jump_to_value(state, found)
        elif flow == decode.RETURN:
            self._return(state, found)
        elif flow == decode.SYSTEM:
            step(walk, state, found)
            return found.next
        return None

    def _return(self, state: State, found: Decoded) -> None:
        """Leave the function, or jump to the address that was pushed."""
        walk = self._walk
        pointer = state.registers[RSP]
        pushed = state.slot(pointer) if type(pointer) is Frame else None
        if type(pointer) is Frame and type(pushed) is Imported:
            state.registers[RSP] = Frame(pointer.base, pointer.offset + 8)
            self._tail_call(state, found, pushed.name)
            return
        if type(pointer) is Frame and type(pushed) is Label and self._image.is_code(pushed.address):
            state.registers[RSP] = Frame(pointer.base, pointer.offset + 8)
            goal = self._jump(state, found, pushed.address)
            if goal is not None:
                self._add_leaders((goal,))
                self._push(goal, state)
            return
        is_above = type(pointer) is Frame and pointer.base == 0 < pointer.offset
        if is_above and pushed is not RETURN_ADDRESS and not walk.is_public:
            walk.leaves_caller = True
            walk.give_up(found.at, "it returns to where the function returns that calls it")
            return
        exits.check_return(walk, state, found, self._root)
        self._leave(state, found.operation.number)

    def _branch_both(self, state: State, found: Decoded) -> int | None:
        condition = found.operation.condition
        is_taken = is_possible(state, condition)
        goes_on = is_possible(state, NEGATED[condition])
        if condition >= decode.LESS:
            check_sign(self._walk, state, found.at, condition)
        state.pass_branch()
        taken = state.copy()
        taken.way = Step(found.at, found.goal, state.way)
        state.way = Step(found.at, found.next, state.way)
        if condition:
            refine(self._walk, taken, condition)
            refine(self._walk, state, NEGATED[condition])
        following = self._jump(taken, found, found.goal) if is_taken else None
        if following is not None:
            self._push(following, taken)
        return found.next if goes_on else None

    def _jump(self, state: State, found: Decoded, goal: int) -> int | None:
        """Return where a jump to an address goes on inside of this function."""
        image = self._image
        if goal in image.externals:
            self._tail_call(state, found, image.externals[goal])
            return None
        if goal in self._engine.unreachable:
            return None
        if not image.is_code(goal):
            if image.stretch(goal) is None:  # where compilers say nothing is reached
                self._walk.give_up(found.at, "a jump leads out of its section")
            else:
                exits.report_data(self._walk, state, found.at, goal, "jumped to")
            return None
        root = self._engine.roots.get(goal)
        if root is None or goal == self._start:
            return goal
        if root.is_public and state.registers[RSP] == Frame(0, 0):
            self._tail_call_inside(state, found, goal)
            return None
        self._add_leaders((goal,))
        return goal

    def _tail_call(self, state: State, found: Decoded, name: str) -> None:
        exits.check_tail(self._walk, state, found, name, self._root)
        if call_outside(self._walk, state, found.at, name, tail=True):
            check_owned(self._walk, state, found.at)
            self._leave(state, 0)

    def _tail_call_inside(self, state: State, found: Decoded, goal: int) -> None:
        walk, name = self._walk, self._image.name(goal)
        exits.check_tail(walk, state, found, name, self._root)
        callee = self._engine.summaries.get(goal)
        state.registers[RSP] = Frame(0, 8)
        if call_inside(walk, state, found.at, name, callee):
            state.registers[RSP] = Frame(0, 0)
            self._leave(state, 0)

    def _jump_to_value(self, state: State, found: Decoded) -> None:
        value, name = goal_of(state, found.operation, self._image.slots)
        walk = self._walk
        if value is RETURN_ADDRESS:
            exits.check_popped_return(walk, state, found, self._root)
            self._leave(state, -8)
            return
        if name is not None:
            self._tail_call(state, found, name)
            return
        step(walk, state, found)
        goals = walk.tables.get(found.at)
        if goals is None:
            goals = targets_of_jump(walk, state, found, value)
            if goals:
                walk.tables[found.at] = goals
        if goals:
            self._add_leaders(goals)
            for goal in goals:
                branch = state.copy()
                branch.way = Step(found.at, goal, state.way)
                self._push(goal, branch)
        elif is_left(walk, state, found, value, self._engine.pointed):
            self._tail_call(state, found, "a pointer")
        else:
            walk.give_up(found.at, UNKNOWN_JUMP)

    def _add_leaders(self, goals: Iterable[int]) -> None:
        """Add places that only a value led to; paths that passed them are followed again."""
        scan = self._engine.scan(self._start)
        new = [goal for goal in goals if goal not in scan.leaders or goal not in scan.instructions]
        if not new:
            return
        passed = any(goal in scan.instructions and goal not in scan.leaders for goal in new)
        before = set(scan.callees)
        self._engine.scan(self._start, new)
        self._found_more |= passed
        self._blocks = self._find_blocks()
        self._heap = [(self._blocks.rank(at), at, number) for _, at, number in self._heap]
        heapq.heapify(self._heap)
        for callee in sorted(scan.callees - before):
            if callee not in self._engine.summaries and callee != self._start:
                self._engine.run_nested(callee)

    def _call(self, state: State, found: Decoded) -> int | None:
        walk, image = self._walk, self._image
        name: str | None = None
        goal = found.goal
        if found.operation.flow == decode.CALL_VALUE:
            value, name = goal_of(state, found.operation, self._image.slots)
            step(walk, state, found)
            goal = value.address if type(value) is Label else 0
            # The call's own push is undone: what returns has taken it away.
            drop_return_address(state)
            if value is OWN or type(value) in (Item, Target):
                if not image.is_compiled(found.at):  # C functions all have one convention
                    walk.give_up(found.at, UNKNOWN_CALL)
                call_unknown(walk, state)
                return found.next if self._goes_on(state, found, None) else None
        elif goal == found.next:
            step(walk, state, found)
            return found.next
        elif goal in image.externals:
            name = image.externals[goal]
        if name is not None:
            returns = call_outside(walk, state, found.at, name)
        elif goal and image.is_code(goal):
            returns = self._call_inside(state, found, goal)
        elif goal:
            exits.report_data(walk, state, found.at, goal, "called")
            returns = call_outside(walk, state, found.at, image.name(goal))
        else:
            returns = call_outside(walk, state, found.at, "a function pointer")
        return found.next if returns and self._goes_on(state, found, name) else None

    def _goes_on(self, state: State, call: Decoded, name: str | None) -> bool:
        """Return whether what stands behind a call is what it returns to."""
        image, decoded = self._image, self._engine.decoded
        if call.next in image.ends:
            return False
        if name is not None and prototype(name).known:
            return True
        top = state.registers[RSP]
        depth = -top.offset if type(top) is Frame and top.base == 0 else None
        return goes_on(image, decoded, self._leaders, call, depth)

    def _call_inside(self, state: State, found: Decoded, goal: int) -> bool:
        walk = self._walk
        walk.callees.add(goal)
        if not self._engine.returns(goal):
            return False
        if goal not in self._engine.summaries:  # only a value led to it
            self._engine.run_nested(goal)
        callee = self._engine.summaries.get(goal)
        return call_inside(walk, state, found.at, self._image.name(goal), callee)

    def _leave(self, state: State, popped: int) -> None:
        """Join what holds at this exit with the others."""
        if type(pointer := state.registers[RSP]) is Frame:
            state.registers[RSP] = Frame(pointer.base, pointer.offset + 8 + popped)
        if self._exit is None:
            self._exit = state.copy()
            return
        if self._exit.registers[RSP] != state.registers[RSP]:
            self._is_regular = False
            return
        self._exit.join(state)
