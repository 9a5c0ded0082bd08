using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Threading.Tasks.Sources;

namespace Tidegate.Transport;

/// <summary>
/// The reusable half of a <see cref="ValueTask"/>: one operation at a time, begun on any thread, completed on the reactor, where its continuation runs too.
/// Unlike <see cref="ManualResetValueTaskSourceCore{TResult}"/> it keeps that promise when a thread that is not the reactor's awaits an operation that is over already:
/// such a thread sees it as pending, and its continuation is posted.
/// </summary>
internal struct Completion
{
    private static readonly Action<object?> Over = static _ => throw new UnreachableException();

    private Action<object?>? _continuation;
    private object? _state;
    private object? _scheduler;
    private ExecutionContext? _executionContext;
    private Exception? _error;
    private volatile bool _isOver;

    public short Version { get; private set; }

    /// <summary>Makes ready for the next operation.</summary>
    public void Reset()
    {
        Version++;
        _isOver = false;
        _error = null;
        _continuation = null;
        _state = null;
        _scheduler = null;
        _executionContext = null;
    }

    /// <summary>Ends the operation and runs its continuation. Only on the reactor.</summary>
    public void Complete(Exception? error)
    {
        _error = error;
        _isOver = true;
        if (Interlocked.Exchange(ref _continuation, Over) is { } continuation)
        {
            Run(continuation, _state, _scheduler, _executionContext);
        }
    }

    public readonly ValueTaskSourceStatus GetStatus(short token, Reactor reactor)
    {
        CheckToken(token);
        return !_isOver || !reactor.IsCurrent ? ValueTaskSourceStatus.Pending
            : _error is null ? ValueTaskSourceStatus.Succeeded
            : _error is OperationCanceledException ? ValueTaskSourceStatus.Canceled
            : ValueTaskSourceStatus.Faulted;
    }

    /// <summary>Throws what the operation ended with, if it failed.</summary>
    public readonly void GetResult(short token)
    {
        CheckToken(token);
        if (!_isOver)
        {
            throw new InvalidOperationException("The operation is not over. Await it.");
        }

        if (_error is not null)
        {
            ExceptionDispatchInfo.Throw(_error);
        }
    }

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags, Reactor reactor)
    {
        CheckToken(token);
        if ((flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != 0)
        {
            _executionContext = ExecutionContext.Capture();
        }

        if ((flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) != 0)
        {
            _scheduler = SynchronizationContext.Current is { } context && context.GetType() != typeof(SynchronizationContext) ? context
                : TaskScheduler.Current != TaskScheduler.Default ? TaskScheduler.Current
                : null;
        }

        _state = state;
        var found = Interlocked.CompareExchange(ref _continuation, continuation, null);
        if (found is not null)
        {
            if (!ReferenceEquals(found, Over))
            {
                throw new InvalidOperationException("The operation is awaited already.");
            }

            reactor.Post(static posted => ((Posted)posted!).Run(), new Posted(continuation, state, _scheduler, _executionContext));
        }
    }

    private readonly void CheckToken(short token)
    {
        if (token != Version)
        {
            throw new InvalidOperationException("This operation's result was taken already.");
        }
    }

    private static void Run(Action<object?> continuation, object? state, object? scheduler, ExecutionContext? executionContext)
    {
        if (scheduler is null && executionContext is null)
        {
            continuation(state);
            return;
        }

        var posted = new Posted(continuation, state, null, executionContext);
        switch (scheduler)
        {
            case SynchronizationContext context:
                context.Post(static posted => ((Posted)posted!).Run(), posted);
                break;
            case TaskScheduler other:
                _ = Task.Factory.StartNew(static posted => ((Posted)posted!).Run(), posted, CancellationToken.None, TaskCreationOptions.DenyChildAttach, other);
                break;
            default:
                ExecutionContext.Run(executionContext!, static posted => (posted as Posted)!.RunHere(), posted);
                break;
        }
    }

    /// <summary>A continuation on its way to where it is to run.</summary>
    private sealed class Posted(Action<object?> continuation, object? state, object? scheduler, ExecutionContext? executionContext)
    {
        public void Run() => Completion.Run(continuation, state, scheduler, executionContext);

        public void RunHere() => continuation(state);
    }
}
