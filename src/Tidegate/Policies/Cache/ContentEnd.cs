namespace Tidegate.Policies.Cache;

/// <summary>All of some content has come, and those who have read it while it came do not know it yet.</summary>
/// <param name="filling">Who they are; null when nobody needs to be told.</param>
/// <param name="reserved">The room that was taken.</param>
internal readonly struct ContentEnd(ContentFilling? filling, long reserved)
{
    /// <summary>The room that was taken in the store, and is the caller's from now on; 0 when the content is not kept.</summary>
    public long Reserved { get; } = reserved;

    /// <summary>They learn it.</summary>
    public void Tell()
    {
        if (filling is not null)
        {
            lock (filling.Gate)
            {
                filling.TellEnd();
            }
        }
    }
}
