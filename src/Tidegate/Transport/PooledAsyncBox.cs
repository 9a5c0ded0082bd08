using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Tidegate.Transport;

/// <summary>Where a waiting method lives, and the ValueTask that its caller awaits.</summary>
internal abstract class PooledAsyncBox<TResult> : IValueTaskSource<TResult>, IValueTaskSource
{
    private ManualResetValueTaskSourceCore<TResult> _core;

    public short Version => _core.Version;

    /// <summary>Moves a state machine off the stack, once, and gives what its awaiter shall call.</summary>
    public static Action Park<TStateMachine>(ref PooledAsyncBox<TResult>? box, ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (box is StateMachineBox<TStateMachine> parked)
        {
            return parked.MoveNext;
        }

        // The builder, and with it the reference to the box, is a part of the state machine: it must be there before the copy is made.
        var fresh = StateMachineBox<TStateMachine>.Rent();
        box = fresh;
        fresh.StateMachine = stateMachine;
        return fresh.MoveNext;
    }

    public void SetResult(TResult result) => _core.SetResult(result);

    public void SetException(Exception exception) => _core.SetException(exception);

    ValueTaskSourceStatus IValueTaskSource<TResult>.GetStatus(short token) => _core.GetStatus(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<TResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _core.OnCompleted(continuation, state, token, flags);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _core.OnCompleted(continuation, state, token, flags);

    TResult IValueTaskSource<TResult>.GetResult(short token) => GetResult(token);

    void IValueTaskSource.GetResult(short token) => GetResult(token);

    protected void Reset() => _core.Reset();

    protected abstract void Return();

    private TResult GetResult(short token)
    {
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            Return();
        }
    }

    private sealed class StateMachineBox<TStateMachine> : PooledAsyncBox<TResult>
        where TStateMachine : IAsyncStateMachine
    {
        // As many calls of one method as a thread may have waiting and still find their objects again: exchanges of a busy reactor. Each is about 200 bytes.
        private const int MaxKept = 512;

        [ThreadStatic]
        private static StateMachineBox<TStateMachine>? _top;

        [ThreadStatic]
        private static int _kept;

        public readonly Action MoveNext;
        public TStateMachine StateMachine = default!;
        private StateMachineBox<TStateMachine>? _next;

        private StateMachineBox() => MoveNext = () => StateMachine.MoveNext();

        public static StateMachineBox<TStateMachine> Rent()
        {
            if (_top is not { } box)
            {
                return new StateMachineBox<TStateMachine>();
            }

            _top = box._next;
            box._next = null;
            _kept--;
            return box;
        }

        protected override void Return()
        {
            Reset();
            StateMachine = default!;
            if (_kept < MaxKept)
            {
                _kept++;
                _next = _top;
                _top = this;
            }
        }
    }
}
