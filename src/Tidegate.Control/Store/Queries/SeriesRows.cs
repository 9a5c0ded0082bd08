namespace Tidegate.Control.Store.Queries;

/// <summary>Saved cells of one width, one after the other, in whatever form a store has them. Only those that fit what all queries ask.</summary>
internal abstract class SeriesRows : IDisposable
{
    /// <summary>Where the cell begins, in ticks of UTC.</summary>
    public abstract long Begin { get; }

    /// <summary>The number of its kind.</summary>
    public abstract long Key { get; }

    /// <summary>Goes to the next; false behind the last.</summary>
    /// <exception cref="System.Data.Common.DbException">The database cannot be read, or the query was ended in it.</exception>
    public abstract bool Read();

    /// <summary>What its kind is, in the order of <see cref="SeriesQuery.Dimensions"/>; null when nobody knows any more, and it is not counted.</summary>
    public abstract string[]? Names();

    /// <summary>Adds the cell.</summary>
    public abstract void AddTo(SeriesPoint point, SeriesKind kind);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}
