namespace Tidegate.Policies.Cache.Disk;

/// <summary>An answer that is read from the disk.</summary>
/// <param name="answer">With content that comes.</param>
/// <param name="isShared">Memory has room for it: others read along, and find it there afterwards.</param>
internal sealed class DiskLoad(StoredAnswer answer, bool isShared)
{
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StoredAnswer Answer => answer;

    public bool IsShared => isShared;

    /// <summary>When all of it has been read.</summary>
    public Task Completion => _completion.Task;

    /// <summary>When whoever asked for it reads, or has found that it need not.</summary>
    public Task Begun => _begun.Task;

    /// <summary>One that was read whole.</summary>
    public static DiskLoad Of(StoredAnswer answer)
    {
        var load = new DiskLoad(answer, isShared: true);
        load.Complete();
        return load;
    }

    /// <summary>One that only whoever began it reads: another reads the disk itself.</summary>
    public static DiskLoad SomebodyElses(StoredAnswer answer) => new(answer, isShared: false) { IsSomebodyElses = true };

    public bool IsSomebodyElses { get; private init; }

    public void Complete() => _completion.TrySetResult();

    public void Begin() => _begun.TrySetResult();
}
