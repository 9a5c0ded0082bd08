namespace Tidegate.Transport;

/// <summary>
/// Where blocks wait for their next use, last in first out so that they are warm. Every reactor has one that only its thread touches; all other threads share one.
/// A block may return to another pool than it came from.
/// </summary>
internal sealed class BlockPool
{
    // 2 MiB of small and 4 MiB of large ones are kept; what a burst needed beyond goes to the garbage collector.
    private const int MaxSmall = 512;
    private const int MaxLarge = 128;

    private static readonly BlockPool Shared = new();

    private readonly Stack<Block> _small = new();
    private readonly Stack<Block> _large = new();

    /// <summary>A block of at least so many bytes; above <see cref="Block.LargeBytes"/> one of exactly this size, which is not kept.</summary>
    public static Block Rent(int size)
    {
        if (size > Block.LargeBytes)
        {
            return new Block(size);
        }

        if (Reactor.Current is { } reactor)
        {
            return reactor.Blocks.Take(size);
        }

        lock (Shared)
        {
            return Shared.Take(size);
        }
    }

    public static void Return(Block block)
    {
        block.Reset();
        if (Reactor.Current is { } reactor)
        {
            reactor.Blocks.Keep(block);
            return;
        }

        lock (Shared)
        {
            Shared.Keep(block);
        }
    }

    private Block Take(int size) => size <= Block.SmallBytes
        ? _small.TryPop(out var small) ? small : new Block(Block.SmallBytes)
        : _large.TryPop(out var large) ? large : new Block(Block.LargeBytes);

    private void Keep(Block block)
    {
        var (stack, max) = block.Size == Block.SmallBytes ? (_small, MaxSmall) : (_large, block.Size == Block.LargeBytes ? MaxLarge : 0);
        if (stack.Count < max)
        {
            stack.Push(block);
        }
    }
}
