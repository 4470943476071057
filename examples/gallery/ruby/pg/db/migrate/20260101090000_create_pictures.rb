class CreatePictures < ActiveRecord::Migration[6.1]
  def change
    create_table :pictures do |t|
      t.string :name, null: false, index: {unique: true}
      t.string :content_type, null: false
      t.binary :content, null: false
      t.timestamps
    end
  end
end
