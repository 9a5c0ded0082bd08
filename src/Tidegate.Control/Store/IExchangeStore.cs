using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store;

/// <summary>Where every exchange is kept: in files of this gateway's own, or in a database of several.</summary>
internal interface IExchangeStore : IExchangeSink, IAsyncDisposable
{
    /// <summary>Why it could not be opened yet, so that nothing is kept; null when it is open.</summary>
    string? Closed => null;

    /// <summary>What whoever answers questions of it may take together.</summary>
    EngineMemory Memory { get; }

    /// <summary>Times that something could not be brought to where it is kept.</summary>
    long Failures { get; }

    /// <summary>Records that were lost: they found no room while they could not be brought there, were refused for what they are, or were left at the end.</summary>
    long Dropped { get; }

    /// <summary>Files that could not be read and were set aside.</summary>
    long SetAsideFiles { get; }

    /// <summary>What exchanges take there, their sums aside, as far as that is known.</summary>
    long Bytes { get; }

    /// <summary>Where that is, for people; without anything that is secret.</summary>
    string Place { get; }

    /// <summary>A directory of this gateway's own, for what is found out of exchanges; null: there is none.</summary>
    string? Folder { get; }

    /// <summary>From now on what is written comes to where it is kept by itself.</summary>
    void Start();

    /// <summary>For questions.</summary>
    IStoreSource OpenSource();
}

/// <summary>Answers questions on the thread that asks. Sums may be asked for by several at once, exchanges by one.</summary>
internal interface IStoreSource : IDisposable
{
    /// <summary>What an engine for <see cref="Find"/> takes until <see cref="Rest"/>; 0 when there is none.</summary>
    int SearchMegabytes { get; }

    /// <exception cref="StoreClosedException">The store could not be opened yet; also from the others.</exception>
    /// <exception cref="TooWideException">It would read too much.</exception>
    /// <exception cref="System.Data.Common.DbException">The sums cannot be read.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    IReadOnlyList<SeriesResult> Series(IReadOnlyList<SeriesQuery> queries, CancellationToken cancellationToken);

    /// <summary>Where the sums begin; null while there are none.</summary>
    /// <exception cref="System.Data.Common.DbException">The sums cannot be read.</exception>
    DateTimeOffset? Begin();

    /// <exception cref="SegmentTroubleException">Exchanges cannot be searched now; also <see cref="System.Data.Common.DbException"/>.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    IReadOnlyList<ExchangeRecord> Find(ExchangeSearch search, CancellationToken cancellationToken);

    /// <summary>Nobody has searched for a while.</summary>
    void Rest();
}
