using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tidegate.Transport;

/// <summary>
/// Makes <c>async ValueTask</c> methods whose waiting costs no allocation: what such a method keeps across an await lives in an object that is used again.
/// The framework's pooling builder keeps one such object for each thread and core; a reactor thread has as many calls waiting as it has exchanges, so here
/// each thread keeps a stack of them.
/// </summary>
/// <remarks>
/// Async-locals do not flow into what runs after an await: the data plane uses none, and carrying them costs on every await. The result must be awaited
/// exactly once, as that of every ValueTask.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct PooledAsyncValueTaskMethodBuilder
{
    private PooledAsyncBox<bool>? _box;
    private Exception? _failedAtOnce;

    public static PooledAsyncValueTaskMethodBuilder Create() => default;

    public readonly ValueTask Task => _box is { } box ? new ValueTask(box, box.Version) : _failedAtOnce is null ? default : ValueTask.FromException(_failedAtOnce);

    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    public readonly void SetResult() => _box?.SetResult(true);

    public void SetException(Exception exception)
    {
        if (_box is null)
        {
            _failedAtOnce = exception;
        }
        else
        {
            _box.SetException(exception);
        }
    }

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.OnCompleted(PooledAsyncBox<bool>.Park(ref _box, ref stateMachine));

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.UnsafeOnCompleted(PooledAsyncBox<bool>.Park(ref _box, ref stateMachine));
}

/// <summary>The same for <c>async ValueTask&lt;T&gt;</c>.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct PooledAsyncValueTaskMethodBuilder<TResult>
{
    private PooledAsyncBox<TResult>? _box;
    private Exception? _failedAtOnce;
    private TResult _result;

    public static PooledAsyncValueTaskMethodBuilder<TResult> Create() => default;

    public readonly ValueTask<TResult> Task => _box is { } box ? new ValueTask<TResult>(box, box.Version) : _failedAtOnce is null ? new ValueTask<TResult>(_result) : ValueTask.FromException<TResult>(_failedAtOnce);

    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }

    public void SetResult(TResult result)
    {
        if (_box is null)
        {
            _result = result;
        }
        else
        {
            _box.SetResult(result);
        }
    }

    public void SetException(Exception exception)
    {
        if (_box is null)
        {
            _failedAtOnce = exception;
        }
        else
        {
            _box.SetException(exception);
        }
    }

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.OnCompleted(PooledAsyncBox<TResult>.Park(ref _box, ref stateMachine));

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.UnsafeOnCompleted(PooledAsyncBox<TResult>.Park(ref _box, ref stateMachine));
}
