namespace Tidegate.Policies.Cache.Disk;

/// <summary>An answer that is read from the disk.</summary>
internal sealed class DiskLoad(StoredAnswer answer)
{
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StoredAnswer Answer => answer;

    /// <summary>When all of it has been read, or nobody else may read along any more.</summary>
    public Task Completion => _completion.Task;

    /// <summary>When whoever asked for it reads, or has found that it need not.</summary>
    public Task Begun => _begun.Task;

    /// <summary>One that was read whole.</summary>
    public static DiskLoad Of(StoredAnswer answer)
    {
        var load = new DiskLoad(answer);
        load.Complete();
        return load;
    }

    public void Complete() => _completion.TrySetResult();

    public void Begin() => _begun.TrySetResult();
}
