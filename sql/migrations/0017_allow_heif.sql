-- +goose Up
-- HEIC photos in files that do not promise to hold HEIC.
--
-- Locks: attachments exclusively, while its rows are read once.

alter table app.attachments
    drop constraint attachments_media_type_check,
    add constraint attachments_media_type_check
        check (media_type in ('image/jpeg', 'image/png', 'image/webp', 'image/heic', 'image/heif', 'application/pdf'));
